// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "core/stream/stream_table.hpp"
#include "quic/stream/table_end.hpp"
#include "strata/transport/core/varint.hpp"

namespace transport = strata::transport;
using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::core::testing;
using error = transport_error;

// What a peer may not do, through every frame it can do it with. Stream 0 is the peer's
// (bidirectional), 2 its one-way stream, 1 this side's, 3 this side's one-way stream.

namespace {

struct server : table_end {
  server() : table_end(role::server) {}
};

stream_frame up_to(std::uint64_t id, std::uint64_t end, bool fin = false) {
  static const std::string content(64 * 1024, 'x');
  const std::uint64_t size = std::min<std::uint64_t>(end, 1024);
  return {id, end - size, text(content).first(size), fin};
}

/// A stream of each type must exist: 1 and 3 are opened by this side.
struct server_with_own : server {
  server_with_own() {
    table.open(true).value();
    table.open(false).value();
  }
};

}  // namespace

//= RFC 9000 section 19.10
//# An endpoint MUST terminate a connection with an error of type FLOW_CONTROL_ERROR if it receives
//# more data than the largest maximum stream data that it has sent for the affected stream.
TEST_CASE("Q11_stream_flow_control: data and resets at the stream's limit, one below and one above",
          "[quic][stream][attack][Q11]") {
  //= RFC 9000 section 4.1
  //= type=test
  //# A receiver MUST close the connection with an error of type FLOW_CONTROL_ERROR if the sender
  //# violates the advertised connection or stream data limits; see Section 11 for details on error
  //# handling.
  constexpr std::uint64_t limit = 16 * 1024;
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{1}}) {
    CAPTURE(id);
    for (const std::uint64_t end : {limit - 1, limit, limit + 1}) {
      CAPTURE(end);
      const error expected = end > limit ? error::flow_control_error : error::no_error;
      CHECK(server_with_own().error_of(up_to(id, end)) == expected);
      CHECK(server_with_own().error_of(up_to(id, end, true)) == expected);
      CHECK(server_with_own().error_of(stream_frame{id, end, {}, false}) == expected);
      CHECK(server_with_own().error_of(stream_frame{id, end, {}, true}) == expected);
      CHECK(server_with_own().error_of(reset_stream_frame{id, 0, end}) == expected);
    }
  }
}

TEST_CASE(
    "Q11_connection_flow_control: data and resets at the connection's limit, one below and one "
    "above",
    "[quic][stream][attack][Q11]") {
  //= RFC 9000 section 19.9
  //= type=test
  //# An endpoint MUST terminate a connection
  //# with an error of type FLOW_CONTROL_ERROR if it receives more data than the
  //# maximum data value that it has sent.
  stream_table::config settings = small_config(role::server);
  settings.max_data = settings.max_window = 20'000;
  for (const std::uint64_t rest : {3'615u, 3'616u, 3'617u}) {
    CAPTURE(rest);
    const error expected = rest > 3'616 ? error::flow_control_error : error::no_error;
    const auto attempt = [&](const auto& last) {
      table_end one(settings);
      REQUIRE(one.error_of(up_to(0, 16 * 1024)) == error::no_error);
      return one.error_of(last);
    };
    CHECK(attempt(up_to(4, rest)) == expected);
    CHECK(attempt(up_to(2, rest, true)) == expected);
    CHECK(attempt(stream_frame{4, rest, {}, true}) == expected);
    CHECK(attempt(reset_stream_frame{4, 0, rest}) == expected);
    CHECK(attempt(reset_stream_frame{2, 0, rest}) == expected);
  }
}

//= RFC 9000 section 19.11
//# An endpoint MUST terminate a connection with an error of type STREAM_LIMIT_ERROR if a peer
//# opens more streams than was permitted.
TEST_CASE(
    "Q11_stream_limit: the last stream allowed, the one below and the one above, by every frame "
    "that opens one",
    "[quic][stream][attack][Q11]") {
  //= RFC 9000 section 4.6
  //= type=test
  //# An endpoint that receives a frame with a stream ID exceeding the limit it has sent MUST treat
  //# this as a connection error of type STREAM_LIMIT_ERROR; see Section 11 for details on error
  //# handling.
  for (const std::uint64_t number : {6u, 7u, 8u}) {
    CAPTURE(number);
    const error expected = number > 7 ? error::stream_limit_error : error::no_error;
    const std::uint64_t bidi = number * 4;
    const std::uint64_t uni = bidi + 2;
    CHECK(server().error_of(up_to(bidi, 1)) == expected);
    CHECK(server().error_of(up_to(uni, 1)) == expected);
    CHECK(server().error_of(reset_stream_frame{bidi, 0, 0}) == expected);
    CHECK(server().error_of(reset_stream_frame{uni, 0, 0}) == expected);
    CHECK(server().error_of(stop_sending_frame{bidi, 0}) == expected);
    CHECK(server().error_of(max_stream_data_frame{bidi, 5}) == expected);
    CHECK(server().error_of(stream_data_blocked_frame{bidi, 5}) == expected);
    CHECK(server().error_of(stream_data_blocked_frame{uni, 5}) == expected);
  }
  CHECK(server().error_of(up_to((std::uint64_t{1} << 62) - 4, 1)) == error::stream_limit_error);
}

TEST_CASE("Q11_final_size: it cannot change, by any pair of frames",
          "[quic][stream][attack][Q11]") {
  //= RFC 9000 section 4.5
  //= type=test
  //# Once a final size for a stream is known, it cannot change. If a RESET_STREAM or STREAM frame
  //# is received indicating a change in the final size for the stream, an endpoint SHOULD respond
  //# with an error of type FINAL_SIZE_ERROR; see Section 11 for details on error handling.
  const auto after_fin = [](const auto& next) {
    server one;
    REQUIRE(one.error_of(stream_frame{0, 100, {}, true}) == error::no_error);
    return one.error_of(next);
  };
  const auto after_reset = [](const auto& next) {
    server one;
    REQUIRE(one.error_of(reset_stream_frame{0, 0, 100}) == error::no_error);
    return one.error_of(next);
  };
  const auto after_data = [](const auto& next) {
    server one;
    REQUIRE(one.error_of(up_to(0, 100)) == error::no_error);
    return one.error_of(next);
  };
  for (const std::uint64_t end : {99u, 100u, 101u}) {
    CAPTURE(end);
    const error as_final = end == 100 ? error::no_error : error::final_size_error;
    const error as_data = end <= 100 ? error::no_error : error::final_size_error;
    CHECK(after_fin(up_to(0, end)) == as_data);
    CHECK(after_fin(up_to(0, end, true)) == as_final);
    CHECK(after_fin(stream_frame{0, end, {}, false}) == as_data);
    CHECK(after_fin(reset_stream_frame{0, 0, end}) == as_final);
    CHECK(after_reset(up_to(0, end)) == as_data);
    CHECK(after_reset(up_to(0, end, true)) == as_final);
    CHECK(after_reset(reset_stream_frame{0, 0, end}) == as_final);
    const error below_data = end < 100 ? error::final_size_error : error::no_error;
    CHECK(after_data(up_to(0, end, true)) == below_data);
    CHECK(after_data(stream_frame{0, end, {}, true}) == below_data);
    CHECK(after_data(reset_stream_frame{0, 0, end}) == below_data);
  }
}

//= RFC 9000 section 19.4
//# An endpoint that receives a RESET_STREAM frame for a send-only stream MUST terminate the
//# connection with error STREAM_STATE_ERROR.
//= RFC 9000 section 19.5
//# Receiving a STOP_SENDING frame for a locally initiated stream that has not yet been created
//# MUST be treated as a connection error of type STREAM_STATE_ERROR.
//= RFC 9000 section 19.5
//# An endpoint that receives a STOP_SENDING frame for a receive-only stream MUST terminate the
//# connection with error STREAM_STATE_ERROR.
//= RFC 9000 section 19.10
//# Receiving a MAX_STREAM_DATA frame for a locally initiated stream that has not yet been created
//# MUST be treated as a connection error of type STREAM_STATE_ERROR.
//= RFC 9000 section 19.10
//# An endpoint that receives a MAX_STREAM_DATA frame for a receive-only stream MUST terminate the
//# connection with error STREAM_STATE_ERROR.
//= RFC 9000 section 19.13
//# An endpoint that receives a STREAM_DATA_BLOCKED frame for a send-only stream MUST terminate the
//# connection with error STREAM_STATE_ERROR.
TEST_CASE(
    "stream_table: frames for the direction that a stream does not have are STREAM_STATE_ERROR",
    "[quic][stream]") {
  //= RFC 9000 section 19.8
  //= type=test
  //# An endpoint MUST terminate the connection with error STREAM_STATE_ERROR if it
  //# receives a STREAM frame for a locally initiated stream that has not yet been
  //# created, or for a send-only stream.
  constexpr error expected = error::stream_state_error;
  CHECK(server_with_own().error_of(up_to(3, 1)) == expected);
  CHECK(server_with_own().error_of(reset_stream_frame{3, 0, 0}) == expected);
  CHECK(server_with_own().error_of(stream_data_blocked_frame{3, 0}) == expected);
  CHECK(server_with_own().error_of(stop_sending_frame{2, 0}) == expected);
  CHECK(server_with_own().error_of(max_stream_data_frame{2, 9}) == expected);
  // And for streams of this side that it has not created, of which it has one of each type.
  for (const std::uint64_t number : {0u, 1u}) {
    CAPTURE(number);
    const std::uint64_t bidi = 4 * number + 1;
    const error by_number = number == 0 ? error::no_error : expected;
    CHECK(server_with_own().error_of(up_to(bidi, 1)) == by_number);
    CHECK(server_with_own().error_of(reset_stream_frame{bidi, 0, 0}) == by_number);
    CHECK(server_with_own().error_of(stop_sending_frame{bidi, 0}) == by_number);
    CHECK(server_with_own().error_of(max_stream_data_frame{bidi, 9}) == by_number);
    CHECK(server_with_own().error_of(stream_data_blocked_frame{bidi, 9}) == by_number);
    CHECK(server_with_own().error_of(stop_sending_frame{bidi + 2, 0}) == by_number);
    CHECK(server_with_own().error_of(max_stream_data_frame{bidi + 2, 9}) == by_number);
  }
}

TEST_CASE("Q13_max_streams: more than 2^60 streams cannot be numbered",
          "[quic][stream][attack][Q13]") {
  //= RFC 9000 section 19.11
  //= type=test
  //# Receipt of a frame that permits opening of a stream larger
  //# than this limit MUST be treated as a connection error of type
  //# FRAME_ENCODING_ERROR.
  constexpr std::uint64_t most = std::uint64_t{1} << 60;
  for (const bool bidirectional : {true, false}) {
    for (const std::uint64_t count : {most - 1, most, most + 1}) {
      CAPTURE(bidirectional, count);
      const error expected = count > most ? error::frame_encoding_error : error::no_error;
      CHECK(server().error_of(max_streams_frame{bidirectional, count}) == expected);
      CHECK(server().error_of(streams_blocked_frame{bidirectional, count}) == expected);
    }
  }
}

TEST_CASE("stream_table: offsets beyond 2^62-1 are refused", "[quic][stream]") {
  //= RFC 9000 section 19.8
  //= type=test
  //# Receipt of a frame that exceeds this limit MUST be treated as a
  //# connection error of type FRAME_ENCODING_ERROR or FLOW_CONTROL_ERROR.
  stream_table::config settings = small_config(role::server);
  settings.max_data = settings.max_window = settings.max_stream_window = transport::varint_max;
  settings.max_stream_data_bidi_remote = transport::varint_max;
  for (const std::uint64_t above : {0u, 1u, 2u}) {
    CAPTURE(above);
    table_end one(settings);
    const error expected = above == 2 ? error::flow_control_error : error::no_error;
    CHECK(one.error_of(stream_frame{0, transport::varint_max - 2 + above, text("x"), false}) ==
          expected);
    CHECK(one.table.count().bytes_buffered_to_read <= page_recycler::page_size);
    one.read_all(0);
  }
}

TEST_CASE(
    "Q64_huge_windows: a connection with the largest windows reads, resets and announces without "
    "wrapping",
    "[quic][stream][attack][Q64]") {
  for (const std::uint64_t size :
       {std::uint64_t{1} << 31, (std::uint64_t{1} << 32) - 1, transport::varint_max}) {
    CAPTURE(size);
    stream_table::config settings = small_config(role::server);
    settings.max_data = settings.max_window = settings.max_stream_window =
        settings.max_stream_data_bidi_remote = size;
    table_end one(settings);
    CHECK(one.error_of(reset_stream_frame{0, 0, size - 1}) == error::no_error);
    if (size != transport::varint_max) {
      CHECK(find_frame<max_data_frame>(one.write_packet())->maximum_data == 2 * size - 1);
    } else {
      CHECK_FALSE(one.table.has_output());
      CHECK(one.error_of(up_to(4, 1)) == error::no_error);
      CHECK(one.error_of(up_to(4, 2)) == error::flow_control_error);
    }
  }
}

TEST_CASE("Q08_gap_bomb: too many gaps in a stream close the connection with INTERNAL_ERROR",
          "[quic][stream][attack][Q08]") {
  server one;
  error seen = error::no_error;
  std::size_t gaps = 0;
  while (seen == error::no_error)
    seen = one.error_of(stream_frame{0, 2 * ++gaps, text("x"), false});
  CHECK(seen == error::internal_error);
  CHECK(gaps == limits::max_reassembly_gaps + 1);
}

TEST_CASE(
    "Q08_gap_bomb: sparse data in many streams costs no more memory than the connection's window, "
    "and a page each",
    "[quic][stream][attack][Q08]") {
  server one;
  std::uint64_t used = 0;
  for (std::uint64_t id = 0; id < 32; id += 4) {
    for (std::uint64_t offset = 1; offset < 8 * 1024; offset += 4096)
      REQUIRE(one.give(stream_frame{id, offset, text("x"), false}));
    used += 4098;
  }
  CHECK(one.table.count().bytes_received == used);
  CHECK(one.table.count().bytes_buffered_to_read <= used + 8 * page_recycler::page_size);
}

TEST_CASE(
    "Q12_reset_credit: connection credit of unread data comes back exactly once, however the "
    "stream ends",
    "[quic][stream][attack][Q12]") {
  server one;
  const std::string content(1000, 'x');
  std::uint64_t limit = 64 * 1024;
  std::uint64_t used = 0;
  std::uint64_t streams = 8;
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    const std::uint64_t id = 4 * number;
    REQUIRE(number < streams);
    REQUIRE(used + 2000 <= limit);
    REQUIRE(one.give(stream_frame{id, 0, text(content), false}));
    one.table.accept(true);
    switch (number % 6) {
      case 0: REQUIRE(one.give(reset_stream_frame{id, 1, 2000})); break;
      case 1:
        one.table.stop(id, 1);
        REQUIRE(one.give(stream_frame{id, 1000, text(content), true}));
        break;
      case 2:
        one.read_all(id);
        REQUIRE(one.give(reset_stream_frame{id, 1, 2000}));
        REQUIRE(one.give(reset_stream_frame{id, 1, 2000}));
        break;
      case 3:
        REQUIRE(one.give(stream_frame{id, 1000, text(content), true}));
        REQUIRE(one.give(reset_stream_frame{id, 1, 2000}));
        break;
      case 4:
        one.table.reset(id, 1);
        REQUIRE(one.give(reset_stream_frame{id, 1, 2000}));
        REQUIRE(one.give(stream_frame{id, 1000, text(content), true}));
        break;
      default:
        REQUIRE(one.give(stream_frame{id, 1999, {}, false}));
        one.table.release_input();
        REQUIRE(one.give(stream_frame{id, 2000, {}, true}));
        break;
    }
    one.table.forget(id);
    used += 2000;
    REQUIRE(one.table.count().bytes_received == used);
    while (one.table.has_output()) {
      const packet sent = one.write_packet();
      one.acked(sent);
      if (const auto more = find_frame<max_data_frame>(sent)) limit = more->maximum_data;
      if (const auto more = find_frame<max_streams_frame>(sent)) streams = more->maximum_streams;
    }
    one.table.release_input();
    one.take_events();
    // Neither more nor less than the window is ever outstanding beyond what was used.
    REQUIRE(limit <= used + one.settings.max_window);
  }
  CHECK(one.table.count().streams_open == 0);
  CHECK(one.table.count().bytes_buffered_to_read == 0);
}
