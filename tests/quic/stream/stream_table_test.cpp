// SPDX-License-Identifier: Apache-2.0
#include "core/stream/stream_table.hpp"

#include <catch2/catch_test_macros.hpp>

#include "quic/stream/table_end.hpp"

namespace transport = strata::transport;
using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::core::testing;

// What the application sees: the table of contracts, operation by state.

namespace {

struct client : table_end {
  client() : table_end(role::client) {}
};
struct server : table_end {
  server() : table_end(role::server) {}
};

}  // namespace

//= RFC 9000 section 2.1
//# A QUIC endpoint MUST NOT reuse a stream ID within a connection.
TEST_CASE_METHOD(client, "stream_table: streams are numbered by type and direction",
                 "[quic][stream]") {
  CHECK(table.open(true) == 0);
  CHECK(table.open(true) == 4);
  CHECK(table.open(false) == 2);
  CHECK(table.open(false) == 6);
  table_end other(role::server);
  CHECK(other.table.open(true) == 1);
  CHECK(other.table.open(false) == 3);
}

//= RFC 9000 section 4.6
//# MAX_STREAMS frames that do not increase the stream limit MUST be ignored.
//= RFC 9000 section 19.11
//# MAX_STREAMS frames that do not increase the stream limit MUST be ignored.
//= RFC 9000 section 19.11
//# An endpoint MUST NOT open more streams than permitted by the current stream limit set by its
//# peer.
TEST_CASE("stream_table: open fails at the peer's limit, and says when there is more",
          "[quic][stream]") {
  //= RFC 9000 section 4.6
  //= type=test
  //# Endpoints MUST NOT exceed the limit set by their peer.
  client one;
  for (int i = 0; i < 8; ++i) REQUIRE(one.table.open(true));
  CHECK(one.table.open(true).error() == errc::limit_exceeded);
  CHECK(one.table.open(true).error() == errc::limit_exceeded);
  CHECK(one.table.open(false).has_value());
  CHECK(one.take_events().empty());
  CHECK(find_frame<streams_blocked_frame>(one.write_packet())->maximum_streams == 8);
  CHECK_FALSE(one.table.has_output());
  one.give(max_streams_frame{true, 8});
  CHECK(one.take_events().empty());
  one.give(max_streams_frame{true, 9});
  const auto events = one.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == event_kind::streams_available);
  CHECK(events[0].value == 1);
  one.give(max_streams_frame{true, 10});
  CHECK(one.take_events().empty());
  CHECK(one.table.open(true) == 32);
}

TEST_CASE("stream_table: nothing can be opened before the peer's limits are known",
          "[quic][stream]") {
  table_end one(small_config(role::client));
  CHECK(one.table.open(true).error() == errc::limit_exceeded);
  one.table.set_peer_limits(parameters_of(one.settings));
  CHECK(one.count_events(event_kind::streams_available) == 1);
  CHECK(one.table.open(true) == 0);
}

TEST_CASE_METHOD(
    server, "stream_table: a higher number opens the lower ones, and they are accepted in order",
    "[quic][stream]") {
  //= RFC 9000 section 3.2
  //= type=test
  //# Before a stream is created, all streams of the same type with lower-numbered
  //# stream IDs MUST be created.
  REQUIRE(give(stream_frame{8, 0, text("hi"), false}));
  const auto events = take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == event_kind::stream_opened);
  CHECK(events[0].value == 1);
  CHECK(events[1].kind == event_kind::readable);
  CHECK(events[1].stream == 8);
  CHECK(table.accept(false) == std::nullopt);
  CHECK(table.accept(true) == 0);
  CHECK(table.accept(true) == 4);
  CHECK(table.accept(true) == 8);
  CHECK(table.accept(true) == std::nullopt);
  CHECK(read_all(8) == "hi");
  CHECK(read_all(0).empty());
  CHECK(write(4, "answer") == 6);
}

TEST_CASE_METHOD(server, "stream_table: stream_opened is reported once until accept",
                 "[quic][stream]") {
  give(stream_frame{0, 0, {}, false});
  give(stream_frame{4, 0, {}, false});
  CHECK(count_events(event_kind::stream_opened) == 1);
  table.accept(true);
  give(stream_frame{8, 0, {}, false});
  CHECK(count_events(event_kind::stream_opened) == 1);
}

TEST_CASE_METHOD(server,
                 "stream_table: reading gives bytes, then would_block, then the end every time",
                 "[quic][stream]") {
  std::byte out[16];
  bool fin = true;
  give(stream_frame{0, 0, text("abc"), false});
  CHECK(table.read(now, 0, {out, 2}, fin) == 2);
  CHECK_FALSE(fin);
  CHECK(table.read(now, 0, {out, 0}, fin) == 0);
  CHECK(table.read(now, 0, out, fin) == 1);
  CHECK(table.read(now, 0, out, fin).error() == errc::would_block);
  give(stream_frame{0, 3, text("de"), true});
  CHECK(read_all(0) == "de!");
  CHECK(read_all(0) == "!");
  CHECK(table.peek(0, fin).has_value());
  CHECK(fin);
}

TEST_CASE_METHOD(server, "stream_table: peek takes nothing and tells whether it shows the end",
                 "[quic][stream]") {
  bool fin = true;
  const std::string content = "request";
  give(stream_frame{0, 0, text(content), true});
  const auto piece = table.peek(0, fin);
  REQUIRE(piece);
  CHECK(fin);
  // Not copied: these are the packet's own bytes.
  CHECK(static_cast<const void*>(piece->data()) == content.data());
  table.consume(now, 0, 3);
  CHECK(transport::as_text(*table.peek(0, fin)) == "uest");
  CHECK(fin);
  table.consume(now, 0, 4);
  CHECK(table.peek(0, fin)->empty());
  CHECK(fin);
}

TEST_CASE_METHOD(server, "stream_table: readable is an edge that the next look arms again",
                 "[quic][stream]") {
  give(stream_frame{0, 0, text("a"), false});
  give(stream_frame{0, 1, text("b"), false});
  CHECK(count_events(event_kind::readable) == 1);
  bool fin = false;
  CHECK(table.peek(0, fin).has_value());
  // A parser that needs more bytes than there are leaves them, and still hears of the next ones.
  give(stream_frame{0, 2, text("c"), false});
  CHECK(count_events(event_kind::readable) == 1);
  CHECK(read_all(0) == "abc");
  // Out of order: nothing to read yet.
  give(stream_frame{0, 4, text("e"), false});
  CHECK(count_events(event_kind::readable) == 0);
  give(stream_frame{0, 3, text("d"), false});
  CHECK(count_events(event_kind::readable) == 1);
  CHECK(read_all(0) == "de");
  give(stream_frame{0, 5, {}, true});
  CHECK(count_events(event_kind::readable) == 1);
  CHECK(read_all(0) == "!");
}

TEST_CASE_METHOD(server, "stream_table: bytes that were not read survive the batch",
                 "[quic][stream]") {
  std::string packet_memory = "hello";
  give(stream_frame{0, 0, text(packet_memory), false});
  CHECK(table.count().bytes_buffered_to_read == 0);
  table.release_input();
  packet_memory = "#####";
  CHECK(table.count().bytes_buffered_to_read == page_recycler::page_size);
  CHECK(read_all(0) == "hello");
  CHECK(table.count().bytes_buffered_to_read == 0);
}

TEST_CASE_METHOD(
    client,
    "stream_table: write takes up to the watermark, then reports writable once there is room",
    "[quic][stream]") {
  settings.write_watermark = 32 * 1024;
  const auto id = table.open(true).value();
  const std::string content(40 * 1024, 'x');
  CHECK(write(id, content, true) == 32 * 1024);
  CHECK(write(id, content) == 0);
  CHECK(take_events().empty());
  // The stream's limit is 16 KiB: once they have gone, half of the watermark is free.
  std::size_t writable = 0;
  while (table.has_output()) {
    write_packet();
    writable += count_events(event_kind::writable);
  }
  CHECK(writable == 1);
  CHECK(write(id, content) == 16 * 1024);
  CHECK(take_events().empty());
}

//= RFC 9000 section 4.5
//# An endpoint MUST NOT send data on a stream at or beyond the final size.
TEST_CASE_METHOD(client, "stream_table: a short write does not take the end", "[quic][stream]") {
  const auto id = table.open(true).value();
  const std::string content(32 * 1024 + 1, 'x');
  CHECK(write(id, content, true) == 32 * 1024);
  CHECK(write(id, "", false) == 0);
  CHECK(write(id, "", true) == 0);
  CHECK(write(id, "more").error() == errc::write_finished);
  CHECK(write(id, "", true) == 0);
}

TEST_CASE_METHOD(
    client,
    "stream_table: a small request fits one frame with its end, and finishes when acknowledged",
    "[quic][stream]") {
  const auto id = table.open(true).value();
  REQUIRE(write(id, "GET /", true) == 5);
  const packet sent = write_packet();
  const auto all = frames_of(sent);
  REQUIRE(all.size() == 1);
  const auto& request = std::get<stream_frame>(all[0]);
  CHECK(request.fin);
  CHECK(transport::as_text(request.data) == "GET /");
  CHECK_FALSE(table.has_output());
  CHECK_FALSE(table.all_sent_acknowledged());
  acked(sent);
  const auto events = take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == event_kind::finished);
  CHECK(events[0].stream == id);
  CHECK(table.all_sent_acknowledged());
}

TEST_CASE_METHOD(client, "stream_table: a borrowed write is acknowledged once, or abandoned once",
                 "[quic][stream]") {
  const auto id = table.open(false).value();
  REQUIRE(table.write_borrowed(id, text("first"), 11, false));
  REQUIRE(table.write_borrowed(id, text("second"), 12, false));
  REQUIRE(table.write_borrowed(id, {}, 13, true));
  auto events = take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == event_kind::acknowledged);
  CHECK(events[0].value == 13);
  CHECK(table.write_borrowed(id, text("third"), 14, false).error() == errc::write_finished);
  const packet sent = write_packet();
  acked(sent);
  acked(sent);
  events = take_events();
  REQUIRE(events.size() == 3);
  CHECK(events[0].value == 11);
  CHECK(events[1].value == 12);
  CHECK(events[2].kind == event_kind::finished);

  const auto other = table.open(false).value();
  REQUIRE(table.write_borrowed(other, text("gone"), 21, false));
  table.reset(other, 1);
  table.forget(other);
  table.on_connection_closed();
  events = take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == event_kind::abandoned);
  CHECK(events[0].value == 21);
}

TEST_CASE_METHOD(client,
                 "stream_table: the wrong direction and unknown streams are errors, not crashes",
                 "[quic][stream]") {
  std::byte out[4];
  bool fin = false;
  const auto own = table.open(false).value();
  CHECK(table.read(now, own, out, fin).error() == errc::invalid_argument);
  CHECK(table.peek(own, fin).error() == errc::invalid_argument);
  give(stream_frame{3, 0, text("x"), false});
  CHECK(write(3, "y").error() == errc::invalid_argument);
  for (const std::uint64_t id :
       {std::uint64_t{4}, std::uint64_t{1}, UINT64_MAX, UINT64_MAX - 1, std::uint64_t{1} << 62}) {
    CAPTURE(id);
    CHECK(write(id, "y").error() == errc::closed);
    CHECK(table.write_borrowed(id, text("y"), 1, false).error() == errc::closed);
    CHECK(table.read(now, id, out, fin).error() == errc::closed);
    CHECK(table.peek(id, fin).error() == errc::closed);
    table.consume(now, id, 1);
    table.reset(id, 0);
    table.stop(id, 0);
    table.prioritize(id, 1, true);
    table.forget(id);
  }
}

TEST_CASE_METHOD(server,
                 "stream_table: after the connection is closed received bytes stay readable, and "
                 "nothing is written",
                 "[quic][stream]") {
  std::string memory = "received";
  give(stream_frame{0, 0, text(memory), true});
  REQUIRE(table.write_borrowed(0, text("never"), 4, false));
  take_events();
  table.on_connection_closed();
  table.release_input();
  memory.assign(memory.size(), '#');
  CHECK(count_events(event_kind::abandoned) == 1);
  table.on_connection_closed();
  CHECK(read_all(0) == "received!");
  CHECK(write(0, "x").error() == errc::closed);
  CHECK(table.open(true).error() == errc::closed);
  CHECK_FALSE(table.has_output());
  CHECK(write_packet().content.empty());
  CHECK(give(stream_frame{4, 0, text("x"), true}));
  table.forget(0);
  CHECK(take_events().empty());
}

TEST_CASE_METHOD(server, "stream_table: a probe repeats the oldest data in flight, or the bare end",
                 "[quic][stream]") {
  CHECK_FALSE(table.queue_probe_data());
  const auto id = table.open(true).value();
  write(id, "data");
  CHECK_FALSE(table.queue_probe_data());
  const packet first = write_packet();
  CHECK(table.queue_probe_data());
  const packet probe = write_packet();
  CHECK(transport::as_text(find_frame<stream_frame>(probe)->data) == "data");
  acked(probe);
  CHECK_FALSE(table.queue_probe_data());
  write(id, "", true);
  const packet end = write_packet();
  CHECK(table.queue_probe_data());
  const packet again = write_packet();
  CHECK(find_frame<stream_frame>(again)->fin);
  acked(again);
  CHECK_FALSE(table.queue_probe_data());
  CHECK(count_events(event_kind::finished) == 1);
  // The first ones count as lost only now: nothing is left to repeat.
  lost(first);
  lost(end);
  CHECK_FALSE(table.has_output());
}

TEST_CASE_METHOD(
    client,
    "stream_table: frames about a stream that is gone do not touch the one that has its memory",
    "[quic][stream]") {
  const auto first = table.open(false).value();
  write(first, "one", true);
  const packet sent = write_packet();
  acked(sent);
  table.forget(first);
  const auto second = table.open(false).value();
  write(second, "two", true);
  const packet other = write_packet();
  REQUIRE(sent.frames[0].slot == other.frames[0].slot);
  take_events();
  acked(sent);
  CHECK(take_events().empty());
  CHECK_FALSE(table.all_sent_acknowledged());
  lost(sent);
  CHECK_FALSE(table.has_output());
  lost(other);
  CHECK(transport::as_text(find_frame<stream_frame>(write_packet())->data) == "two");
}

TEST_CASE("stream_table: limits of a second set of parameters reach streams that are open already",
          "[quic][stream]") {
  table_end one(small_config(role::client));
  transport_parameters remembered = parameters_of(one.settings);
  remembered.initial_max_stream_data_bidi_remote = 4;
  one.table.set_peer_limits(remembered);
  const auto id = one.table.open(true).value();
  one.write(id, "0123456789");
  CHECK(find_frame<stream_frame>(one.write_packet())->data.size() == 4);
  one.write_packet();
  CHECK_FALSE(one.table.has_output());
  one.table.set_peer_limits(parameters_of(one.settings));
  CHECK(find_frame<stream_frame>(one.write_packet())->data.size() == 6);
}
