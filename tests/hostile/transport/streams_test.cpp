// SPDX-License-Identifier: Apache-2.0
// Streams as a weapon: memory per byte, credit, and limits that only one frame type checks.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <utility>

#include "stage/stage.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace strata::hostile;

namespace {

const std::array<std::byte, 10> ten{};
const std::array<std::byte, 1> one_byte{};

/// `count` STREAM frames of one byte each at every `step`th offset, many to a packet.
void send_crumbs(raw_peer& p, std::uint64_t stream, std::size_t count, std::uint64_t step) {
  std::vector<std::byte> payload;
  for (std::size_t i = 0; i < count && !p.closed_with(); ++i) {
    const auto frame = raw_peer::encode_all(stream_frame{stream, 1 + i * step, one_byte, false});
    payload.insert(payload.end(), frame.begin(), frame.end());
    if (payload.size() > 1100 || i + 1 == count) p.send({.payload = std::exchange(payload, {})});
  }
}

}  // namespace

TEST_CASE("streams: a byte at every other offset ends the connection before it costs a page each",
          "[attack][Q08]") {
  CHECK(attacked_by([](raw_peer& p) {
          p.keeps_frames = false;
          send_crumbs(p, 0, 100'000, 2);
        }) == "INTERNAL_ERROR");
}

TEST_CASE("streams: a byte in every page of many streams stays within the connection's window",
          "[attack][Q08]") {
  // 100 streams of 256 KiB, a byte in each 4 KiB: flow control counts the offsets, so at most the
  // window of 1 MiB can be spread out.
  CHECK(attacked_by(
            [](raw_peer& p) {
              p.keeps_frames = false;
              for (std::uint64_t id = 0; id < 400 && !p.closed_with(); id += 4)
                send_crumbs(p, id, 63, 4096);
            },
            {.real_tls = false, .memory = 3 * 1024 * 1024}) == "FLOW_CONTROL_ERROR");
}

TEST_CASE("streams: slices of one byte do not keep the packets they came in", "[attack][Q09]") {
  stage one;
  one.begin();
  one.attacker.keeps_frames = false;
  constexpr std::size_t packets = 2000;
  for (std::size_t i = 0; i < packets; ++i) {
    auto payload = raw_peer::encode_all(stream_frame{0, i, one_byte, false}, padding_frame{1100});
    one.attacker.send({.payload = std::move(payload)});
  }
  one.settle();
  CHECK(one.grown() < 64 * 1024);
  CHECK(one.verdict() == "open");
}

TEST_CASE("streams: empty frames with and without FIN, again and overlapping", "[attack][Q10]") {
  stage one;
  one.begin();
  for (int round = 0; round < 50; ++round) {
    for (const std::uint64_t offset : {0u, 5u, 10u}) {
      one.attacker.send_frames(
          stream_frame{0, offset, {}, false}, stream_frame{0, 0, bytes(ten).first(5), false},
          stream_frame{0, 3, bytes(ten).first(7), false}, stream_frame{0, 10, {}, true});
    }
  }
  std::array<std::byte, 64> memory;
  bool fin = false;
  CHECK(one.attacked().stream(0).read(memory, fin).value() == 10);
  CHECK(fin);
  CHECK(one.verdict() == "open");
}

TEST_CASE("streams: RESET_STREAM is held to every limit that STREAM is held to", "[attack][Q11]") {
  const auto after = [](auto... frames) {
    return attacked_by([&](raw_peer& p) { p.send_frames(frames...); });
  };
  CHECK(after(reset_stream_frame{0, 1, (256 << 10) + 1}) == "FLOW_CONTROL_ERROR");
  CHECK(after(reset_stream_frame{0, 1, 256 << 10}) == "open");
  CHECK(after(reset_stream_frame{400, 1, 0}) == "STREAM_LIMIT_ERROR");
  CHECK(after(reset_stream_frame{0, 1, 5}, reset_stream_frame{0, 1, 6}) == "FINAL_SIZE_ERROR");
  CHECK(after(stream_frame{0, 0, ten, false}, reset_stream_frame{0, 1, 9}) == "FINAL_SIZE_ERROR");
  CHECK(after(stream_frame{0, 0, ten, true}, reset_stream_frame{0, 1, 11}) == "FINAL_SIZE_ERROR");
  // Four streams at their limits are the connection's limit; the fifth is one byte beyond.
  CHECK(after(reset_stream_frame{0, 1, 256 << 10}, reset_stream_frame{4, 1, 256 << 10},
              reset_stream_frame{8, 1, 256 << 10}, reset_stream_frame{12, 1, 256 << 10}) == "open");
  CHECK(after(reset_stream_frame{0, 1, 256 << 10}, reset_stream_frame{4, 1, 256 << 10},
              reset_stream_frame{8, 1, 256 << 10}, reset_stream_frame{12, 1, 256 << 10},
              reset_stream_frame{16, 1, 1}) == "FLOW_CONTROL_ERROR");
}

TEST_CASE("streams: ten thousand streams filled and reset leave the credit whole",
          "[attack][Q12]") {
  stage one;
  one.begin();
  one.attacker.keeps_frames = false;
  const std::vector<std::byte> content(1000);
  for (std::uint64_t number = 0; number < 10'000; ++number) {
    const std::uint64_t id = 4 * number + 2;
    one.attacker.send_frames(stream_frame{id, 0, content, false},
                             reset_stream_frame{id, 7, content.size()});
    REQUIRE(!one.attacker.closed_with());
    auto connection = one.attacked();
    while (const auto accepted = connection.accept(false)) connection.stream(*accepted).forget();
    one.settle();
    one.attacker.acknowledge_received();
  }
  CHECK(one.attacked().statistics().streams_open == 0);
  CHECK(one.grown() < 64 * 1024);
  CHECK(one.verdict() == "open");
}

TEST_CASE("streams: all of them opened and nothing more cost what they must", "[attack][R06]") {
  stage one;
  one.begin();
  for (const std::uint64_t kind : {0u, 2u}) {
    for (std::uint64_t number = 0; number < 100; ++number)
      one.attacker.send_frames(stream_frame{4 * number + kind, 0, {}, false});
  }
  one.settle();
  CHECK(one.grown() < 200 * 1024);
  CHECK(one.verdict() == "open");
}

TEST_CASE("streams: limits raised a little in every packet make nothing grow", "[attack][R07]") {
  stage one;
  one.begin();
  const auto own = one.attacked().open(true).value();
  one.attacker.keeps_frames = false;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    one.attacker.send_frames(max_data_frame{(1 << 20) + i}, max_streams_frame{true, 100 + i},
                             max_stream_data_frame{own, (1 << 18) + i}, data_blocked_frame{i},
                             stream_data_blocked_frame{0, i}, streams_blocked_frame{true, i});
  }
  one.settle();
  CHECK(one.grown() < 64 * 1024);
  CHECK(one.verdict() == "open");
}

TEST_CASE("streams: limits at the ends of their range", "[attack][Q64]") {
  constexpr std::uint64_t most = (std::uint64_t{1} << 62) - 1;
  for (const std::uint64_t limit : {std::uint64_t{1} << 31, (std::uint64_t{1} << 32) - 1, most}) {
    stage one;
    one.begin_with_bystander();
    auto& p = one.attacker.parameters;
    p.initial_max_data = p.initial_max_stream_data_bidi_local = limit;
    p.initial_max_stream_data_bidi_remote = p.initial_max_stream_data_uni = limit;
    one.attacker.start();
    REQUIRE(one.attacker.complete_handshake());
    const auto id = one.attacked().open(true).value();
    one.attacker.send_frames(max_data_frame{most}, max_stream_data_frame{id, most});
    const bytes piece(ten);
    CHECK(one.attacked().stream(id).write({&piece, 1}, false).value() == ten.size());
    one.settle();
    CHECK(one.attacker.count<stream_frame>() >= 1);
    CHECK(one.verdict() == "open");
  }
}

TEST_CASE("streams: a peer that reads nothing is written no more than the watermark",
          "[attack][R08]") {
  stage one;
  one.begin();
  one.attacker.acknowledges = false;
  one.attacker.keeps_frames = false;
  const std::vector<std::byte> content(100'000);
  std::uint64_t taken = 0;
  for (int i = 0; i < 100; ++i) {
    const auto id = one.attacked().open(true);
    if (!id) break;
    const bytes piece(content);
    for (int again = 0; again < 5; ++again)
      taken += one.attacked().stream(*id).write({&piece, 1}, false).value_or(0);
  }
  one.settle();
  const std::uint64_t watermark = 128 * 1024;
  CHECK(taken <= 100 * (watermark + content.size()));
  CHECK(one.peak() <= taken + 1024 * 1024);
  CHECK(one.bystander_unharmed());
}

TEST_CASE("streams: every order of stop, reset, end and data has one end", "[attack][Q14]") {
  std::array<int, 4> order{0, 1, 2, 3};
  do {
    stage one;
    one.begin();
    for (const int what : order) {
      if (what == 0) one.attacker.send_frames(stop_sending_frame{0, 1});
      if (what == 1) one.attacker.send_frames(reset_stream_frame{0, 2, 10});
      if (what == 2) one.attacker.send_frames(stream_frame{0, 10, {}, true});
      if (what == 3) one.attacker.send_frames(stream_frame{0, 0, ten, false});
    }
    auto stream = one.attacked().stream(0);
    std::array<std::byte, 16> memory;
    bool fin = false;
    static_cast<void>(stream.read(memory, fin));
    stream.forget();
    one.settle();
    CHECK(one.attacker.count<reset_stream_frame>() == 1);
    CHECK(one.verdict() == "open");
  } while (std::ranges::next_permutation(order).found);
}
