// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

// Streams that nobody reads. The protocol cannot hold up one of them alone.

using namespace strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

namespace {

/// A client with the streams 1 and 2, which may have 1000 unread bytes each.
session_end client_with_two(anytls_config config = {}) {
  config.max_unread = 1000;
  session_end client = client_in_bulk(config);
  client.session.open().value();
  client.write(2, "address").value();
  client.frames();
  client.receive(frame(command::synack, 2));
  client.forget_events();
  return client;
}

byte_vector bytes_for(std::uint32_t id, std::size_t size) {
  return frame(command::psh, id, std::string(size, 'x'));
}

}  // namespace

TEST_CASE("overflow: unread bytes below, at and above the limit of a stream",
          "[mux][anytls][overflow]") {
  for (const std::size_t size : {999uz, 1000uz, 1001uz}) {
    session_end client = client_with_two();
    client.receive(bytes_for(1, size));
    CHECK(client.session.wants_input());
    const bool over = size > 1000;
    CHECK(client.take(kind::failed, 1) == over);
    CHECK((client.stream(1).failure() == failure::limit_exceeded) == over);
    CHECK(client.statistics().streams_overrun == over);
    CHECK(client.statistics().unread == (over ? 0 : size));
    CHECK(client.frames().size() == over);
  }
}

TEST_CASE("overflow: the stream that nobody reads is ended, and the others go on",
          "[mux][anytls][overflow]") {
  session_end client = client_with_two();
  client.receive(bytes_for(1, 800));
  client.receive(bytes_for(2, 800) + bytes_for(1, 800) + bytes_for(1, 800));
  CHECK(client.frames() == std::vector<seen_frame>{{command::fin, 1, ""}});
  CHECK(client.read_error(1) == failure::limit_exceeded);
  CHECK(client.write_error(1) == failure::limit_exceeded);
  CHECK(client.read(2) == std::string(800, 'x'));
  client.receive(bytes_for(1, 800) + bytes_for(2, 1));
  CHECK(client.read(2) == "x");
  CHECK(client.statistics().unread == 0);
  CHECK(client.statistics().glitches == 0);
}

TEST_CASE("overflow: a stream that is alone holds nobody up, so it only waits",
          "[mux][anytls][overflow]") {
  session_end client = client_in_bulk({.max_unread = 1000});
  client.receive(bytes_for(1, 1000));
  CHECK(client.session.wants_input());
  client.receive(bytes_for(1, 1));
  CHECK_FALSE(client.session.wants_input());
  CHECK(client.take(kind::failed, 1) == 0);
  std::array<std::byte, 1> one;
  const mutable_bytes piece = one;
  CHECK(client.stream(1).read({&piece, 1}) == 1u);
  CHECK(client.session.wants_input());
  CHECK(client.read(1).size() == 1000);
}

TEST_CASE("overflow: a second stream makes the carrier be read again", "[mux][anytls][overflow]") {
  session_end client = client_in_bulk({.max_unread = 1000});
  client.receive(bytes_for(1, 1001));
  CHECK_FALSE(client.session.wants_input());
  client.session.open().value();
  CHECK(client.session.wants_input());
  client.receive(bytes_for(1, 1));
  CHECK(client.stream(1).failure() == failure::limit_exceeded);
}

TEST_CASE("overflow: a configuration may have all streams wait", "[mux][anytls][overflow]") {
  session_end client = client_with_two({.overflow = anytls_overflow::stop_reading});
  client.receive(bytes_for(1, 1001) + bytes_for(1, 500));
  CHECK_FALSE(client.session.wants_input());
  CHECK(client.take(kind::failed, 1) == 0);
  CHECK(client.read(1).size() == 1501);
  CHECK(client.session.wants_input());
}

TEST_CASE("overflow: streams that are over their limit and dropped do not count",
          "[mux][anytls][overflow]") {
  for (const bool forgets : {false, true}) {
    session_end client = client_with_two({.overflow = anytls_overflow::stop_reading});
    client.receive(bytes_for(1, 1001));
    CHECK_FALSE(client.session.wants_input());
    forgets ? client.stream(1).forget() : client.stream(1).reset();
    CHECK(client.session.wants_input());
  }
}

TEST_CASE("overflow: unread bytes of a session, below, at and above the limit",
          "[mux][anytls][overflow]") {
  for (const std::size_t size : {999uz, 1000uz, 1001uz}) {
    for (const bool waits : {false, true}) {
      session_end client = client_with_two(
          {.max_session_unread = 1600,
           .overflow = waits ? anytls_overflow::stop_reading : anytls_overflow::reset_stream});
      client.receive(bytes_for(1, 600));
      client.receive(bytes_for(2, size));
      if (waits) {
        CHECK(client.session.wants_input() == (size < 1000));
        CHECK(client.statistics().streams_overrun == 0);
      } else {
        CHECK(client.session.wants_input());
        CHECK(client.statistics().streams_overrun == (size > 1000));
      }
    }
  }
}

TEST_CASE("overflow: a server protects itself the same way", "[mux][anytls][overflow]") {
  session_end server = server_with_stream({.max_unread = 1000});
  server.receive(frame(command::syn, 2));
  server.session.accept().value();
  server.receive(bytes_for(1, 1001));
  const auto frames = server.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].is(command::synack, 1, "given up"));
  CHECK(frames[1].is(command::fin, 1));
  CHECK(server.stream(1).failure() == failure::limit_exceeded);
  CHECK(server.closed() == nullptr);
}

TEST_CASE("overflow: one that was not accepted yet is known by its failure",
          "[mux][anytls][overflow]") {
  session_end server = server_with_stream({.max_unread = 1000});
  server.receive(frame(command::syn, 2) + bytes_for(2, 1001));
  CHECK(server.session.accept() == 2u);
  CHECK(server.take(kind::readable, 2) == 1);
  CHECK(server.read_error(2) == failure::limit_exceeded);
  server.stream(2).forget();
  CHECK(server.statistics().streams_open == 1);
}
