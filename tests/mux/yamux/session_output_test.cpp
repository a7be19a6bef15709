// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "mux/yamux/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using enum event_kind;

TEST_CASE("output: streams take turns of one frame", "[mux][yamux]") {
  session_end client(role::client);
  const std::string text(50'000, 'x');
  for (int i = 0; i < 3; ++i) {
    const std::uint32_t id = client.session.open().value();
    REQUIRE(client.write(id, text));
  }
  const auto sent = client.frames();
  std::vector<std::uint32_t> order;
  for (const seen_frame& one : sent) order.push_back(one.header.stream_id);
  CHECK(order == std::vector<std::uint32_t>{1, 3, 5, 1, 3, 5, 1, 3, 5, 1, 3, 5});
  CHECK(sent[0].header.length == limit::frame_payload);
  CHECK(sent.back().header.length == text.size() - 3 * limit::frame_payload);
}

TEST_CASE("output: turns go on across short writes", "[mux][yamux]") {
  session_end client(role::client);
  const std::string text(200'000, 'x');
  for (int i = 0; i < 4; ++i) REQUIRE(client.lend(client.session.open().value(), text));
  std::map<std::uint32_t, std::size_t> shares;
  for (int i = 0; i < 40; ++i) {
    client.partial = client.partial + client.write_once(10'000);
    for (const seen_frame& one : take_frames(client.partial))
      shares[one.header.stream_id] += one.payload.size();
  }
  REQUIRE(shares.size() == 4);
  const auto [least, most] =
      std::ranges::minmax_element(shares, {}, [](const auto& one) { return one.second; });
  CHECK(most->second - least->second <= limit::frame_payload);
}

TEST_CASE("output: control frames go before bulk that was offered already", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.write(1, std::string(200'000, 'x')));
  client.partial = client.write_once(20'000);  // The second frame has begun.
  client.session.open().value();
  client.receive(ping_frame(flag::syn, 5));
  const auto sent = client.frames();
  REQUIRE(sent.size() > 4);
  CHECK(sent[1].header.type == frame_type::data);
  CHECK(sent[2].is(frame_type::ping, flag::ack, 0, 5));
  CHECK(sent[3].is(frame_type::window_update, flag::syn, 3, 0));
  CHECK(sent[4].header.type == frame_type::data);
}

TEST_CASE("output: everything fits into one gathered write, control frames into one piece",
          "[mux][yamux]") {
  session_end client(role::client);
  for (int i = 0; i < 10; ++i) client.session.open().value();
  const std::string text(16'384, 'x');
  REQUIRE(client.lend(1, text));
  std::vector<bytes> list(64);
  CHECK(client.session.poll_output(client.now, list) == 2);
  CHECK(list[0].size() == 10 * 12);
  CHECK(list[1].size() == text.size());
}

TEST_CASE("output: a list of two pieces is enough to get everything through", "[mux][yamux]") {
  session_end client(role::client);
  std::string expected;
  const std::uint32_t id = client.session.open().value();
  for (int i = 0; i < 20; ++i) {
    const std::string text(5000, static_cast<char>('a' + i));
    REQUIRE(client.write(id, text) == text.size());
    expected += text;
  }
  byte_vector sent;
  for (byte_vector one = client.write_once(SIZE_MAX, 2); !one.empty();
       one = client.write_once(SIZE_MAX, 2))
    sent = sent + one;
  std::string all;
  for (const seen_frame& one : take_frames(sent)) all += one.payload;
  CHECK(all == expected);
}

TEST_CASE("output: the rest of a frame may need more pieces than there are", "[mux][yamux]") {
  for (const bool orphaned : {false, true}) {
    session_end client = client_with_stream();
    const std::string text(16'384, 'x');
    REQUIRE(client.write(1, text));
    byte_vector sent = client.write_once(100);
    if (orphaned) client.stream(1).forget();
    for (byte_vector one = client.write_once(SIZE_MAX, 2); !one.empty();
         one = client.write_once(SIZE_MAX, 2))
      sent = sent + one;
    const auto frames = take_frames(sent);
    REQUIRE(frames.size() == (orphaned ? 2u : 1u));
    CHECK(frames[0].payload == text);
    CHECK(sent.empty());
  }
}

TEST_CASE("output: one list has so many frames and bytes", "[mux][yamux]") {
  session_end client(yamux_config{.role = role::client, .frame_payload = 1});
  const std::string text(200, 'x');
  REQUIRE(client.lend(client.session.open().value(), text));
  byte_vector one = client.write_once(SIZE_MAX, 1000);
  CHECK(take_frames(one).size() == limit::max_batch_frames);

  session_end bulk = client_with_stream();
  const std::string much(4 * limit::max_batch_bytes, 'x');
  bulk.receive(window_frame(1, 0, 1 << 24));
  REQUIRE(bulk.lend(1, much));
  const std::size_t size = bulk.write_once(SIZE_MAX, 1000).size();
  CHECK(size >= limit::max_batch_bytes);
  CHECK(size < limit::max_batch_bytes + limit::frame_payload + 12);
}

TEST_CASE("output: frames are as large as configured, within bounds", "[mux][yamux]") {
  const std::pair<std::uint32_t, std::uint32_t> sizes[] = {
      {0, 1},
      {1, 1},
      {1000, 1000},
      {limit::max_frame_payload - 1, limit::max_frame_payload - 1},
      {limit::max_frame_payload, limit::max_frame_payload},
      {limit::max_frame_payload + 1, limit::max_frame_payload}};
  for (const auto& [asked, given] : sizes) {
    session_end client = client_with_stream(yamux_config{.frame_payload = asked});
    const std::string text(100'000, 'x');
    REQUIRE(client.lend(1, text));
    byte_vector one = client.write_once();
    CHECK(take_frames(one).at(0).header.length == given);
  }
}

TEST_CASE("output: what is lent is sent without a copy, whatever its pieces", "[mux][yamux]") {
  session_end client = client_with_stream();
  const std::string one(10'000, 'a');
  const std::string two(30'000, 'b');
  const bytes pieces[] = {strata::transport::as_bytes(one), strata::transport::as_bytes(two)};
  REQUIRE(client.stream(1).lend(pieces) == 40'000u);
  std::vector<bytes> list(64);
  const std::size_t count = client.session.poll_output(client.now, list);
  std::size_t in_place = 0;
  for (std::size_t i = 0; i < count; ++i) {
    for (const bytes memory : pieces)
      if (list[i].data() >= memory.data() && list[i].data() < memory.data() + memory.size())
        in_place += list[i].size();
  }
  CHECK(in_place == 40'000);
}

TEST_CASE("output: a stream without window is passed over and comes back", "[mux][yamux]") {
  session_end client = client_with_stream();
  const std::string text(2 * limit::initial_window, 'x');
  REQUIRE(client.lend(1, text));
  client.frames();
  client.session.open().value();
  REQUIRE(client.write(3, "other"));
  auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].payload == "other");
  client.receive(window_frame(1, 0, 5));
  sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::data, 0, 1, 5));
}

TEST_CASE("output: statistics count what the carrier took", "[mux][yamux]") {
  session_end client = client_with_stream();
  const auto before = client.statistics();
  REQUIRE(client.write(1, "hello"));
  client.write_once(14);
  auto now = client.statistics();
  CHECK(now.frames_sent - before.frames_sent == 1);
  CHECK(now.bytes_sent - before.bytes_sent == 14);
  CHECK(now.payload_sent - before.payload_sent == 2);
  client.write_once();
  now = client.statistics();
  CHECK(now.frames_sent - before.frames_sent == 1);
  CHECK(now.bytes_sent - before.bytes_sent == 17);
  CHECK(now.payload_sent - before.payload_sent == 5);
  CHECK(now.frames_received == 1);
  CHECK(now.bytes_received == 12);
}
