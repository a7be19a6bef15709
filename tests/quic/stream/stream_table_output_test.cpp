// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "core/stream/stream_table.hpp"
#include "quic/stream/table_end.hpp"

namespace transport = strata::transport;
using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::core::testing;
using namespace std::chrono_literals;

// What goes onto the wire.

namespace {

struct client : table_end {
  client() : table_end(role::client) {}
};

}  // namespace

TEST_CASE_METHOD(client,
                 "stream_table: a STREAM frame that fills the packet has no length, and every size "
                 "decodes exactly",
                 "[quic][stream]") {
  for (std::size_t size = 40; size <= 200; ++size) {
    CAPTURE(size);
    client one;
    const auto id = one.table.open(true).value();
    std::string content;
    for (int i = 0; i < 120; ++i) content += static_cast<char>('a' + i % 26);
    one.write(id, content, true);
    std::string seen;
    bool fin = false;
    int packets = 0;
    while (one.table.has_output()) {
      REQUIRE(++packets < 10);
      const packet sent = one.write_packet(size);
      REQUIRE(sent.content.size() <= size);
      const auto all = frames_of(sent);
      REQUIRE(all.size() == 1);
      const auto& frame = std::get<stream_frame>(all[0]);
      REQUIRE(sent.frames.size() == 1);
      CHECK(sent.frames[0].length == frame.data.size());
      CHECK(sent.frames[0].offset == frame.offset);
      CHECK(sent.frames[0].fin == frame.fin);
      CHECK(frame.offset == seen.size());
      seen += transport::as_text(frame.data);
      fin = frame.fin;
    }
    CHECK(seen == content);
    CHECK(fin);
  }
}

TEST_CASE_METHOD(client, "stream_table: streams share a packet, small ones with a length",
                 "[quic][stream]") {
  const auto first = table.open(true).value();
  const auto second = table.open(true).value();
  write(first, "one", true);
  write(second, std::string(5000, 'x'));
  const auto all = frames_of(write_packet(1000));
  REQUIRE(all.size() == 2);
  CHECK(transport::as_text(std::get<stream_frame>(all[0]).data) == "one");
  CHECK(std::get<stream_frame>(all[1]).stream_id == second);
}

TEST_CASE_METHOD(
    client,
    "stream_table: lost data is sent again before new data, and nothing that was acknowledged",
    "[quic][stream]") {
  const auto id = table.open(true).value();
  write(id, std::string(3000, 'x'));
  const packet first = write_packet(1000);
  const packet second = write_packet(1000);
  acked(second);
  lost(first);
  const auto again = find_frame<stream_frame>(write_packet(500));
  CHECK(again->offset == 0);
  const auto rest = frames_of(write_packet(1000));
  REQUIRE(rest.size() == 2);
  CHECK(std::get<stream_frame>(rest[0]).offset == again->data.size());
  CHECK(std::get<stream_frame>(rest[0]).data.size() + again->data.size() == first.frames[0].length);
  CHECK(std::get<stream_frame>(rest[1]).offset == first.frames[0].length + second.frames[0].length);
}

TEST_CASE_METHOD(client, "Q10_zero_length: an empty end is repeated when it is lost",
                 "[quic][stream]") {
  const auto id = table.open(true).value();
  write(id, "", true);
  const packet sent = write_packet();
  const auto end = find_frame<stream_frame>(sent);
  REQUIRE(end);
  CHECK((end->fin && end->data.empty() && end->offset == 0));
  lost(sent);
  const packet again = write_packet();
  CHECK(find_frame<stream_frame>(again)->fin);
  CHECK_FALSE(table.has_output());
  acked(again);
  acked(sent);
  lost(sent);
  CHECK(count_events(event_kind::finished) == 1);
  CHECK_FALSE(table.has_output());
}

TEST_CASE("Q10_zero_length: STREAM frames with neither data nor end are harmless",
          "[quic][stream][attack][Q10]") {
  table_end one(role::server);
  CHECK(one.give(stream_frame{0, 0, {}, false}));
  CHECK(one.give(stream_frame{0, 100, {}, false}));
  CHECK(one.give(stream_frame{0, 50, text("x"), false}));
  CHECK(one.give(stream_frame{0, 50, {}, false}));
  CHECK(one.give(stream_frame{0, 51, {}, false}));
  CHECK(one.give(stream_frame{0, 0, text(filler('y', 50)), false}));
  CHECK(one.read_all(0) == std::string(50, 'y') + "x");
  CHECK(one.give(stream_frame{0, 100, {}, true}));
  CHECK(one.give(stream_frame{0, 100, {}, true}));
  CHECK(one.error_of(stream_frame{0, 101, {}, false}) == transport_error::final_size_error);
  // An empty frame at an offset uses credit up to there (RFC 9000 section 4.5 counts the highest
  // offset).
  CHECK(one.table.count().bytes_received == 100);
}

//= RFC 9000 section 2.2
//# An endpoint MUST NOT send data on any stream without ensuring that it is within the flow
//# control limits set by its peer.
//= RFC 9000 section 19.10
//# The data sent on a stream MUST NOT exceed the largest maximum stream data value advertised by
//# the receiver.
TEST_CASE_METHOD(client, "stream_table: sending stops at the stream's limit and says so once",
                 "[quic][stream]") {
  //= RFC 9000 section 4.1
  //= type=test
  //# Senders MUST NOT send data in excess of either limit.
  const auto id = table.open(true).value();
  write(id, std::string(20'000, 'x'));
  std::uint64_t sent = 0;
  int blocked = 0;
  packet last;
  while (table.has_output()) {
    last = write_packet();
    for (const frame& any : frames_of(last)) {
      if (const auto* data = std::get_if<stream_frame>(&any))
        sent = std::max(sent, data->offset + data->data.size());
      if (const auto* told = std::get_if<stream_data_blocked_frame>(&any)) {
        CHECK(told->maximum_stream_data == 16 * 1024);
        ++blocked;
      }
    }
  }
  CHECK(sent == 16 * 1024);
  CHECK(blocked == 1);
  lost(last);
  CHECK(find_frame<stream_data_blocked_frame>(write_packet()));
  give(max_stream_data_frame{id, 16 * 1024});
  CHECK_FALSE(table.has_output());
  give(max_stream_data_frame{id, 16 * 1024 + 1});
  const packet more = write_packet();
  CHECK(find_frame<stream_frame>(more)->data.size() == 1);
  lost(last);
  // It is blocked at another limit now: told once more, at the new one, not for the lost frame.
  const auto again = find_frame<stream_data_blocked_frame>(write_packet());
  CHECK((!again || again->maximum_stream_data == 16 * 1024 + 1));
}

//= RFC 9000 section 19.9
//# The sum of the final sizes on all streams -- including streams in terminal states -- MUST NOT
//# exceed the value advertised by a receiver.
TEST_CASE("stream_table: sending stops at the connection's limit and says so once",
          "[quic][stream]") {
  table_end one(small_config(role::client));
  transport_parameters peer = parameters_of(one.settings);
  peer.initial_max_data = 1000;
  one.table.set_peer_limits(peer);
  const auto first = one.table.open(true).value();
  const auto second = one.table.open(true).value();
  one.write(first, std::string(900, 'a'));
  one.write(second, std::string(900, 'b'), true);
  int blocked = 0;
  std::vector<packet> sent;
  while (one.table.has_output()) {
    sent.push_back(one.write_packet(400));
    if (const auto told = find_frame<data_blocked_frame>(sent.back())) {
      CHECK(told->maximum_data == 1000);
      ++blocked;
    }
  }
  CHECK(blocked == 1);
  CHECK(one.table.count().bytes_sent == 1000);
  // Lost data needs no credit.
  one.lost(sent[0]);
  CHECK(one.table.has_output());
  one.write_packet();
  CHECK(one.table.count().bytes_sent == 1000);
  one.give(max_data_frame{1000});
  CHECK_FALSE(one.table.has_output());
  one.give(max_data_frame{2000});
  while (one.table.has_output()) one.write_packet(400);
  CHECK(one.table.count().bytes_sent == 1800);
}

TEST_CASE(
    "stream_table: credit goes back only for what was read, and a lost frame is replaced by the "
    "current value",
    "[quic][stream]") {
  table_end one(role::server);
  const std::string content(8 * 1024, 'x');
  one.give(stream_frame{0, 0, text(content), false});
  one.give(stream_frame{0, 8 * 1024, text(content), false});
  CHECK_FALSE(one.table.has_output());
  std::vector<std::byte> out(8 * 1024);
  bool fin = false;
  REQUIRE(one.table.read(one.now, 0, out, fin) == out.size());
  const packet first = one.write_packet();
  CHECK(find_frame<max_stream_data_frame>(first)->maximum_stream_data == 24 * 1024);
  CHECK_FALSE(find_frame<max_data_frame>(first));
  REQUIRE(one.table.read(one.now, 0, out, fin) == out.size());
  const packet second = one.write_packet();
  CHECK(find_frame<max_stream_data_frame>(second)->maximum_stream_data == 32 * 1024);
  one.lost(first);
  CHECK_FALSE(one.table.has_output());
  one.lost(second);
  CHECK(find_frame<max_stream_data_frame>(one.write_packet())->maximum_stream_data == 32 * 1024);
  // With the end known no more credit is of use.
  one.give(stream_frame{0, 16 * 1024, {}, true});
  one.lost(second);
  CHECK_FALSE(one.table.has_output());
}

TEST_CASE("stream_table: windows grow with the round trip time", "[quic][stream]") {
  table_end one(role::server);
  one.now = transport::time_point{} + 1s;
  one.table.set_rtt(100ms);
  const std::string content(1024, 'x');
  std::uint64_t offset = 0;
  std::uint64_t limit = 16 * 1024;
  std::uint64_t connection_limit = 64 * 1024;
  for (int i = 0; i < 400; ++i) {
    if (offset + 1024 <= limit && offset + 1024 <= connection_limit) {
      REQUIRE(one.give(stream_frame{0, offset, text(content), false}));
      offset += 1024;
      one.read_all(0);
    }
    one.now += 1ms;
    const packet sent = one.write_packet();
    if (const auto more = find_frame<max_stream_data_frame>(sent))
      limit = more->maximum_stream_data;
    if (const auto more = find_frame<max_data_frame>(sent)) connection_limit = more->maximum_data;
  }
  CHECK(offset == 400 * 1024);
  CHECK(limit - offset > 32 * 1024);
  CHECK(limit - offset <= one.settings.max_stream_window);
  CHECK(connection_limit - offset > 64 * 1024);
}

TEST_CASE_METHOD(client,
                 "stream_table: control frames stand before data, and those that do not fit wait",
                 "[quic][stream]") {
  const auto first = table.open(true).value();
  const auto second = table.open(true).value();
  write(first, "data");
  table.stop(first, 1);
  table.reset(second, 2);
  const packet tiny = write_packet(7);
  CHECK(frames_of(tiny).size() <= 2);
  const auto all = frames_of(write_packet(1200));
  REQUIRE(all.size() >= 2);
  CHECK_FALSE(std::holds_alternative<stream_frame>(all.front()));
  CHECK(std::holds_alternative<stream_frame>(all.back()));
  CHECK_FALSE(table.has_output());
}

TEST_CASE_METHOD(client, "stream_table: urgent streams go first, incremental ones share",
                 "[quic][stream]") {
  const auto bulk = table.open(true).value();
  const auto urgent = table.open(true).value();
  const auto shared = table.open(true).value();
  for (const auto id : {bulk, urgent, shared}) write(id, std::string(1500, 'x'));
  table.prioritize(urgent, 0, false);
  std::string order;
  while (table.has_output()) {
    for (const frame& any : frames_of(write_packet(600)))
      order += std::to_string(std::get<stream_frame>(any).stream_id);
  }
  CHECK(order.starts_with("444"));
  CHECK(order.find("0808") != std::string::npos);
}

TEST_CASE_METHOD(client, "stream_table: has_output says exactly whether something would be written",
                 "[quic][stream][property]") {
  table_end server(role::server);
  CHECK_FALSE(table.has_output());
  CHECK(write_packet().content.empty());
  const auto id = table.open(true).value();
  CHECK_FALSE(table.has_output());
  table.stop(id, 1);
  give(stream_frame{id, 0, text("x"), true});
  // The end is known: asking the peer to stop has lost its sense before it was written.
  CHECK_FALSE(table.has_output());
  CHECK(write_packet().content.empty());
}
