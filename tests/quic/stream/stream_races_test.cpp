// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "core/stream/stream_table.hpp"
#include "quic/stream/table_end.hpp"

namespace transport = strata::transport;
using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::core::testing;

TEST_CASE(
    "Q14_races: all 24 orders of data, end, reset and stop on one stream lead to the same end",
    "[quic][stream][attack][Q14]") {
  std::array<int, 4> order{0, 1, 2, 3};
  int orders = 0;
  do {
    ++orders;
    CAPTURE(order[0], order[1], order[2], order[3]);
    table_end one(role::server);
    // This side has something under way, too: the stop is for that.
    REQUIRE(one.give(stream_frame{0, 0, {}, false}));
    one.table.accept(true);
    REQUIRE(one.write(0, "an answer") == 9);
    REQUIRE(one.table.write_borrowed(0, text("borrowed"), 1, false));
    const packet in_flight = one.write_packet();
    one.take_events();
    for (const int what : order) {
      switch (what) {
        case 0: REQUIRE(one.give(stream_frame{0, 0, text("01234"), false})); break;
        case 1: REQUIRE(one.give(stream_frame{0, 5, text("56789"), true})); break;
        case 2: REQUIRE(one.give(reset_stream_frame{0, 7, 10})); break;
        default: REQUIRE(one.give(stop_sending_frame{0, 8})); break;
      }
      one.table.release_input();
    }
    const auto events = one.take_events();
    const auto count = [&events](event_kind kind) {
      return std::ranges::count_if(events, [kind](const event& each) { return each.kind == kind; });
    };
    CHECK(count(event_kind::read_reset) == 1);
    CHECK(count(event_kind::write_stopped) == 1);
    CHECK(count(event_kind::abandoned) == 1);
    CHECK(count(event_kind::readable) <= 1);
    CHECK(one.read_all(0).starts_with("<"));
    std::byte out[16];
    bool fin = false;
    CHECK(one.table.read(one.now, 0, out, fin).error() == errc::stream_reset);
    CHECK(one.write(0, "x").error() == errc::write_stopped);
    CHECK(one.table.count().bytes_received == 10);
    CHECK(one.table.count().bytes_buffered_to_read == 0);
    const packet sent = one.write_packet();
    CHECK(find_frame<reset_stream_frame>(sent)->final_size == 17);
    CHECK_FALSE(find_frame<stream_frame>(sent));
    CHECK_FALSE(find_frame<stop_sending_frame>(sent));
    one.acked(in_flight);
    one.acked(sent);
    CHECK(one.table.count().streams_open == 0);
    one.table.forget(0);
    CHECK(one.table.all_sent_acknowledged());
    // Everything once more, after the end: dropped.
    CHECK(one.give(stream_frame{0, 0, text("01234"), false}));
    CHECK(one.give(stream_frame{0, 5, text("56789"), true}));
    CHECK(one.give(reset_stream_frame{0, 7, 10}));
    CHECK(one.give(stop_sending_frame{0, 8}));
    CHECK(one.take_events().empty());
    CHECK(find_frame<max_streams_frame>(one.write_packet())->maximum_streams == 9);
    CHECK_FALSE(one.table.has_output());
  } while (std::ranges::next_permutation(order).found);
  CHECK(orders == 24);
}

TEST_CASE("Q14_races: a stop that arrives when everything is acknowledged changes nothing",
          "[quic][stream][attack][Q14]") {
  table_end one(role::client);
  const auto id = one.table.open(true).value();
  one.write(id, "all", true);
  one.acked(one.write_packet());
  one.take_events();
  CHECK(one.give(stop_sending_frame{id, 3}));
  CHECK(one.take_events().empty());
  CHECK_FALSE(one.table.has_output());
  CHECK(one.write(id, "", true) == 0);
}

//= RFC 9000 section 3.3
//# A sender MUST NOT send any of these frames from a terminal state ("Data Recvd" or "Reset
//# Recvd").
TEST_CASE("Q14_races: our reset crosses the acknowledgement of everything",
          "[quic][stream][attack][Q14]") {
  table_end one(role::client);
  const auto id = one.table.open(false).value();
  one.write(id, "all", true);
  const packet data = one.write_packet();
  one.table.reset(id, 1);
  one.acked(data);
  const packet reset = one.write_packet();
  REQUIRE(find_frame<reset_stream_frame>(reset));
  one.lost(reset);
  const packet again = one.write_packet();
  REQUIRE(find_frame<reset_stream_frame>(again)->final_size == 3);
  one.acked(again);
  one.acked(reset);
  one.lost(reset);
  CHECK_FALSE(one.table.has_output());
  CHECK(one.table.count().streams_open == 0);
}
