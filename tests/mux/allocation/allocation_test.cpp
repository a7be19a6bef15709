// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <memory>
#include <vector>

#include "strata/mux/core/yamux_session.hpp"
#include "testkit/counting_allocator.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux;
using namespace strata::mux::core;
using strata::testkit::allocations;
using strata::testkit::held_bytes;
using namespace std::chrono_literals;

namespace {

/// Two sessions and a carrier of fixed memory between them.
struct joined {
  strata::testkit::fake_random random{1};
  yamux_session client{{.role = role::client}, random};
  yamux_session server{{.role = role::server}, random};
  time_point now{1000s};
  std::vector<std::byte> wire = std::vector<std::byte>(1 << 20);
  std::array<bytes, 256> pieces;

  /// How much was carried. What the receiver does not read at once is copied by it.
  template <class Read>
  std::size_t move(yamux_session& from, yamux_session& to, Read&& read) {
    const std::size_t count = from.poll_output(now, pieces);
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(wire.data() + size, pieces[i].data(), pieces[i].size());
      size += pieces[i].size();
    }
    from.sent(size);
    to.receive(now, bytes(wire).first(size));
    read();
    to.release_input();
    for (event one; to.poll_event(one);) {}
    for (event one; from.poll_event(one);) {}
    return size;
  }
};

std::size_t read_all(yamux_stream_view stream) {
  std::size_t total = 0;
  bool end = false;
  while (const auto piece = stream.peek(end)) {
    if (end) break;
    total += piece->size();
    stream.consume(piece->size());
  }
  return total;
}

}  // namespace

TEST_CASE("allocation: a bulk transfer allocates nothing once it runs", "[mux][yamux]") {
  for (const bool lends : {false, true}) {
    for (const bool reads_late : {false, true}) {
      joined both;
      const std::uint32_t id = both.client.open().value();
      const std::vector<std::byte> content(100'000, std::byte{'x'});
      const bytes piece = content;
      std::size_t received = 0;
      std::size_t before = 0;
      for (int round = 0; round < 2000; ++round) {
        if (round == 100) before = allocations();
        if (lends) {
          if (!both.client.stream(id).lend({&piece, 1})) received += 0;
        } else {
          REQUIRE(both.client.stream(id).write({&piece, 1}));
        }
        both.move(both.client, both.server, [&] {
          if (round == 0) both.server.accept();
          if (!reads_late) received += read_all(both.server.stream(id));
        });
        if (reads_late) received += read_all(both.server.stream(id));
        both.move(both.server, both.client, [] {});
        both.now += 100us;
      }
      CHECK(received > 100'000'000);
      CHECK(allocations() - before == 0);
    }
  }
}

TEST_CASE("allocation: 10,000 short streams use the objects of a few", "[mux][yamux]") {
  joined both;
  const bytes question = strata::transport::as_bytes("question");
  std::size_t before = 0;
  std::size_t answered = 0;
  for (int round = 0; round < 10'000; ++round) {
    if (round == 100) before = allocations();
    const std::uint32_t id = both.client.open().value();
    REQUIRE(both.client.stream(id).write({&question, 1}));
    REQUIRE(both.client.stream(id).finish());
    both.move(both.client, both.server, [&] {
      const std::uint32_t accepted = both.server.accept().value();
      CHECK(read_all(both.server.stream(accepted)) == question.size());
      REQUIRE(both.server.stream(accepted).write({&question, 1}));
      REQUIRE(both.server.stream(accepted).finish());
      both.server.stream(accepted).forget();
    });
    both.move(both.server, both.client, [&] {
      answered += read_all(both.client.stream(id)) == question.size();
      both.client.stream(id).forget();
    });
  }
  CHECK(answered == 10'000);
  CHECK(allocations() - before == 0);
  CHECK(both.client.control().statistics().streams_open == 0);
  CHECK(both.server.control().statistics().streams_open == 0);
  CHECK(both.client.control().closed() == nullptr);
}

TEST_CASE("allocation: what sessions and idle streams weigh", "[mux][yamux]") {
  strata::testkit::fake_random random{1};
  const std::size_t empty = held_bytes();
  auto session = std::make_unique<yamux_session>(
      yamux_config{.max_streams = 2000, .ack_backlog = 2000}, random);
  const std::size_t idle = held_bytes() - empty;
  std::size_t opened = 0;
  for (int i = 0; i < 1000; ++i) opened += session->open().has_value();
  const std::size_t each = (held_bytes() - empty - idle) / 1000;
  session.reset();
  const std::size_t left = held_bytes() - empty;
  CHECK(opened == 1000);
  CHECK(idle < 20'000);
  CHECK(each < 700);
  CHECK(left == 0);
  WARN("an idle session: " << idle << " bytes; a stream: " << each);
}

TEST_CASE("allocation: a hundred busy streams stay below 32 MiB", "[mux][yamux]") {
  const std::size_t before = held_bytes();
  joined both;
  strata::testkit::reset_peak();
  const std::vector<std::byte> content(100'000, std::byte{'x'});
  const bytes piece = content;
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(both.client.open().value());
  std::size_t received = 0;
  for (int round = 0; round < 200; ++round) {
    for (const std::uint32_t id : ids) REQUIRE(both.client.stream(id).write({&piece, 1}));
    both.move(both.client, both.server, [&] {
      while (both.server.accept()) {}
      for (const std::uint32_t id : ids) received += read_all(both.server.stream(id));
    });
    both.move(both.server, both.client, [] {});
  }
  CHECK(received > 50'000'000);
  CHECK(strata::testkit::peak_bytes() - before < 32 * 1024 * 1024);
}
