// SPDX-License-Identifier: Apache-2.0
#include "core/stream/stream_table.hpp"

#include <catch2/catch_test_macros.hpp>

#include "quic/stream/table_end.hpp"

namespace transport = strata::transport;
using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::core::testing;

// How streams end: reset, stop and forget, by this side and by the peer.

namespace {

struct client : table_end {
  client() : table_end(role::client) {}
};
struct server : table_end {
  server() : table_end(role::server) {}
};

}  // namespace

//= RFC 9000 section 4.4
//# Both endpoints MUST maintain flow control state for the stream in the unterminated direction
//# until that direction enters a terminal state.
//= RFC 9000 section 4.5
//# The receiver MUST use the final size of the stream to account for all bytes sent on the stream
//# in its connection-level flow controller.
TEST_CASE_METHOD(server,
                 "stream_table: a reset by the peer is seen at once, and unread bytes are dropped",
                 "[quic][stream]") {
  give(stream_frame{0, 0, text("abc"), false});
  take_events();
  REQUIRE(give(reset_stream_frame{0, 77, 10}));
  const auto events = take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == event_kind::read_reset);
  CHECK(events[0].value == 77);
  std::byte out[8];
  bool fin = false;
  CHECK(table.read(now, 0, out, fin).error() == errc::stream_reset);
  CHECK(table.peek(0, fin).error() == errc::stream_reset);
  CHECK(table.count().bytes_received == 10);
  // The other direction is not touched.
  CHECK(write(0, "still here") == 10);
}

TEST_CASE_METHOD(server, "stream_table: who waits for a read hears of a reset as readable, too",
                 "[quic][stream]") {
  give(stream_frame{0, 0, {}, false});
  CHECK(read_all(0).empty());
  take_events();
  give(reset_stream_frame{0, 1, 0});
  const auto events = take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == event_kind::read_reset);
  CHECK(events[1].kind == event_kind::readable);
}

//= RFC 9000 section 13.3
//# The content of a RESET_STREAM frame MUST NOT change when it is sent again.
TEST_CASE_METHOD(client,
                 "stream_table: when the peer stops reading, the stream is reset with its code",
                 "[quic][stream]") {
  //= RFC 9000 section 3.5
  //= type=test
  //# An endpoint that receives a STOP_SENDING frame MUST send a RESET_STREAM
  //# frame if the stream is in the "Ready" or "Send" state.
  const auto id = table.open(true).value();
  REQUIRE(write(id, "0123456789") == 10);
  REQUIRE(table.write_borrowed(id, text("borrowed"), 5, false));
  write_packet(8);
  REQUIRE(give(stop_sending_frame{id, 42}));
  const auto events = take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == event_kind::abandoned);
  CHECK(events[1].kind == event_kind::write_stopped);
  CHECK(events[1].value == 42);
  const packet answer = write_packet();
  const auto reset = find_frame<reset_stream_frame>(answer);
  REQUIRE(reset);
  CHECK(reset->application_protocol_error_code == 42);
  CHECK(reset->final_size == table.count().bytes_sent);
  CHECK_FALSE(find_frame<stream_frame>(answer));
  CHECK(write(id, "more").error() == errc::write_stopped);
  CHECK(write(id, "", true) == 0);
  CHECK(table.write_borrowed(id, text("x"), 6, false).error() == errc::write_stopped);
  // A second one changes nothing; a lost reset is repeated as it was.
  give(stop_sending_frame{id, 43});
  CHECK(take_events().empty());
  lost(answer);
  CHECK(find_frame<reset_stream_frame>(write_packet())->application_protocol_error_code == 42);
}

TEST_CASE_METHOD(client, "stream_table: a write that was cut short hears of the stop",
                 "[quic][stream]") {
  const auto id = table.open(true).value();
  REQUIRE(write(id, std::string(64 * 1024, 'x')) == 32 * 1024);
  give(stop_sending_frame{id, 1});
  const auto events = take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == event_kind::write_stopped);
  CHECK(events[1].kind == event_kind::writable);
}

//= RFC 9000 section 3.3
//# A sender MUST NOT send a STREAM or STREAM_DATA_BLOCKED frame for a stream in the "Reset Sent"
//# state or any terminal state -- that is, after sending a RESET_STREAM frame.
TEST_CASE_METHOD(client, "stream_table: reset gives up both directions", "[quic][stream]") {
  const auto id = table.open(true).value();
  write(id, "never sent");
  give(stream_frame{id, 0, text("never read"), false});
  take_events();
  table.reset(id, 9);
  const packet sent = write_packet();
  CHECK(find_frame<reset_stream_frame>(sent)->application_protocol_error_code == 9);
  CHECK(find_frame<reset_stream_frame>(sent)->final_size == 0);
  CHECK(find_frame<stop_sending_frame>(sent)->application_protocol_error_code == 9);
  CHECK_FALSE(find_frame<stream_frame>(sent));
  CHECK(write(id, "x").error() == errc::closed);
  CHECK(write(id, "", true).error() == errc::closed);
  CHECK(read_all(id).starts_with("<"));
  std::byte out[4];
  bool fin = false;
  CHECK(table.read(now, id, out, fin).error() == errc::closed);
  table.reset(id, 10);
  CHECK_FALSE(table.has_output());
  CHECK(take_events().empty());
  // Late data and the peer's reset are dropped without a word.
  CHECK(give(stream_frame{id, 10, text("late"), false}));
  CHECK(give(reset_stream_frame{id, 9, 14}));
  CHECK(take_events().empty());
}

TEST_CASE_METHOD(
    client, "stream_table: reset of a stream that was finished takes back what has not arrived",
    "[quic][stream]") {
  const auto id = table.open(false).value();
  write(id, "all of it", true);
  const packet sent = write_packet();
  table.reset(id, 3);
  CHECK(find_frame<reset_stream_frame>(write_packet())->final_size == 9);
  acked(sent);
  CHECK(take_events().empty());
  CHECK(write(id, "", true).error() == errc::closed);
}

TEST_CASE_METHOD(client, "stream_table: stop asks the peer to send no more, until its end is known",
                 "[quic][stream]") {
  const auto id = table.open(true).value();
  table.stop(id, 6);
  const packet sent = write_packet();
  CHECK(find_frame<stop_sending_frame>(sent)->application_protocol_error_code == 6);
  CHECK(write(id, "the other direction goes on") == 27);
  CHECK(find_frame<stream_frame>(write_packet()));
  lost(sent);
  CHECK(find_frame<stop_sending_frame>(write_packet()));
  give(reset_stream_frame{id, 6, 0});
  lost(sent);
  CHECK_FALSE(table.has_output());
  CHECK(take_events().empty());
}

TEST_CASE_METHOD(client, "stream_table: forget resets what was not finished, with code zero",
                 "[quic][stream]") {
  const auto id = table.open(true).value();
  write(id, "half");
  table.forget(id);
  const packet sent = write_packet();
  CHECK(find_frame<reset_stream_frame>(sent)->application_protocol_error_code == 0);
  CHECK(find_frame<stop_sending_frame>(sent)->application_protocol_error_code == 0);
  CHECK(write(id, "x").error() == errc::closed);
  CHECK(table.count().streams_open == 1);
  acked(sent);
  give(reset_stream_frame{id, 0, 0});
  CHECK(table.count().streams_open == 0);
  CHECK(take_events().empty());
}

TEST_CASE_METHOD(
    client,
    "stream_table: forget after the end was written only stops reading; the bytes still arrive",
    "[quic][stream]") {
  const auto id = table.open(true).value();
  write(id, "everything", true);
  REQUIRE(table.write_borrowed(id, {}, 1, true).has_value());
  table.forget(id);
  const packet sent = write_packet();
  CHECK_FALSE(find_frame<reset_stream_frame>(sent));
  CHECK(find_frame<stop_sending_frame>(sent));
  CHECK(transport::as_text(find_frame<stream_frame>(sent)->data) == "everything");
  lost(sent);
  const packet again = write_packet();
  CHECK(transport::as_text(find_frame<stream_frame>(again)->data) == "everything");
  acked(again);
  CHECK(table.count().streams_open == 1);
  give(stream_frame{id, 0, text("too late"), true});
  CHECK(table.count().streams_open == 0);
  CHECK(table.count().bytes_received == 8);
}

TEST_CASE_METHOD(server, "stream_table: forget when both ends are seen sends nothing",
                 "[quic][stream]") {
  give(stream_frame{0, 0, text("request"), true});
  table.accept(true);
  CHECK(read_all(0) == "request!");
  write(0, "response", true);
  acked(write_packet());
  table.forget(0);
  CHECK_FALSE(find_frame<reset_stream_frame>(write_packet()));
  CHECK(table.count().streams_open == 0);
  // Frames for a stream that is gone are dropped.
  CHECK(give(stream_frame{0, 0, text("request"), true}));
  CHECK(give(stop_sending_frame{0, 1}));
  CHECK(give(max_stream_data_frame{0, 1'000'000}));
  CHECK(give(reset_stream_frame{0, 1, 7}));
  CHECK(give(stream_data_blocked_frame{0, 7}));
  take_events();
  CHECK_FALSE(table.has_output());
}

TEST_CASE_METHOD(server, "stream_table: a token of a forgotten stream is still reported",
                 "[quic][stream]") {
  give(stream_frame{0, 0, text("request"), true});
  REQUIRE(table.write_borrowed(0, text("response"), 99, true));
  take_events();
  table.forget(0);
  acked(write_packet());
  const auto events = take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == event_kind::acknowledged);
  CHECK(events[0].value == 99);
  CHECK(table.count().streams_open == 0);
}

//= RFC 9000 section 4.6
//# An endpoint MUST NOT wait to receive this signal before advertising additional credit
TEST_CASE_METHOD(
    server,
    "stream_table: the peer may open another stream when one is over and drained or forgotten",
    "[quic][stream]") {
  const auto finish = [this](std::uint64_t id, bool forget_it) {
    give(stream_frame{id, 0, text("q"), true});
    table.accept(true);
    write(id, "a", true);
    acked(write_packet());
    CHECK(table.count().streams_open == 1);
    if (forget_it) {
      table.forget(id);
    } else {
      CHECK(read_all(id) == "q!");
    }
    CHECK(table.count().streams_open == 0);
  };
  finish(0, true);
  CHECK(find_frame<max_streams_frame>(write_packet())->maximum_streams == 9);
  finish(4, false);
  const packet sent = write_packet();
  CHECK(find_frame<max_streams_frame>(sent)->maximum_streams == 10);
  // Drained, but not forgotten: the end can still be read.
  CHECK(read_all(4) == "!");
  table.forget(4);
  CHECK_FALSE(table.has_output());
  lost(sent);
  CHECK(find_frame<max_streams_frame>(write_packet())->maximum_streams == 10);
}
