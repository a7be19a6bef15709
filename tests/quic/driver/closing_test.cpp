// SPDX-License-Identifier: Apache-2.0
// How connections end, and what their ends do to everything that waits: one clear error each.
#include <array>
#include <asio/write.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "endpoint_pair.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;
using transport::errc;
using origin = quic::close_reason::origin_kind;

namespace {

/// What waits on one side of a connection, except for its end.
struct waits {
  std::array<char, 16> memory{};
  std::string large = std::string(8 << 20, 'x');
  stream_outcome open, accept_two_way, accept_one_way;
  plain_outcome readable, stream_closed, borrowed, shutdown;
  size_outcome write, read;
  reason_outcome closed;

  void start(quic::connection& connection, quic::stream& stream, quic::stream& second) {
    asio::async_write(stream, asio::buffer(large), write.handler());
    second.async_write_borrowed(asio::buffer(large), borrowed.handler());
    stream.async_read_some(asio::buffer(memory), read.handler());
    second.async_wait_readable(readable.handler());
    stream.async_wait_closed(stream_closed.handler());
    connection.async_open_stream(true, open.handler());
    connection.async_accept_stream(true, accept_two_way.handler());
    connection.async_accept_stream(false, accept_one_way.handler());
    connection.async_wait_closed(closed.handler());
    connection.async_shutdown(60s, 0, shutdown.handler());
  }
  bool all_wait() const {
    return open.waits() && accept_two_way.waits() && accept_one_way.waits() && readable.waits() &&
           stream_closed.waits() && borrowed.waits() && shutdown.waits() && write.waits() &&
           read.waits() && closed.waits();
  }
  /// A wait until readable ends without an error: the read tells (streams.md).
  void check_ended(std::error_code cause, std::error_code of_shutdown) const {
    CHECK(open.ended_with(cause));
    CHECK(open.value == nullptr);
    CHECK(accept_two_way.ended_with(cause));
    CHECK(accept_one_way.ended_with(cause));
    CHECK(readable.ended_with({}));
    CHECK(stream_closed.ended_with(cause));
    CHECK(borrowed.ended_with(cause));
    CHECK(write.ended_with(cause));
    CHECK(read.ended_with(cause));
    CHECK(shutdown.ended_with(of_shutdown));
    CHECK(closed.ended_with({}));
  }
};

/// Two streams between the ends of a pair that allows no third.
struct busy_pair : endpoint_pair {
  explicit busy_pair(const quic::core::connection_config& config) : endpoint_pair(config, config) {
    connect();
    std::tie(near_one, far_one) = make_streams();
    std::tie(near_two, far_two) = make_streams();
    on_near.start(near, *near_one, *near_two);
    settle();
    REQUIRE(on_near.all_wait());
  }
  static quic::core::connection_config two_streams() {
    quic::core::connection_config config;
    config.max_streams_bidi = 2;
    return config;
  }

  waits on_near;
  stream_ptr near_one, far_one, near_two, far_two;
};

void check_dead(endpoint_pair& pair, quic::stream& stream, std::error_code cause) {
  std::array<char, 4> memory{};
  size_outcome read, write;
  stream_outcome open, accept;
  plain_outcome finish, confirmed;
  reason_outcome closed;
  stream.async_read_some(asio::buffer(memory), read.handler());
  stream.async_write_some(asio::buffer(memory), write.handler());
  stream.async_finish(finish.handler());
  pair.near.async_open_stream(true, open.handler());
  pair.near.async_accept_stream(true, accept.handler());
  pair.near.async_confirmed(confirmed.handler());
  pair.near.async_wait_closed(closed.handler());
  pair.settle();
  CHECK(read.ended_with(cause));
  CHECK(write.ended_with(cause));
  CHECK(finish.ended_with(cause));
  CHECK(open.ended_with(cause));
  CHECK(accept.ended_with(cause));
  CHECK(confirmed.ended_with({}));  // It was, before.
  CHECK(closed.ended_with({}));
  CHECK_FALSE(pair.near.is_open());
}

}  // namespace

TEST_CASE("quic: a close with a code and a reason reaches the peer and ends everything there",
          "[quic][driver][closing]") {
  busy_pair pair(busy_pair::two_streams());
  const std::string reason = "enough \"said\"\n\x01\xff";
  reason_outcome own;
  pair.far.async_wait_closed(own.handler());
  pair.far.close(0x3fff'ffff'ffff'ffff, reason);
  pair.run_until([&] { return pair.on_near.closed.ran == 1 && own.ran == 1; });
  pair.settle();

  const quic::close_reason& seen = *pair.on_near.closed.value;
  CHECK(seen.origin == origin::peer_application);
  CHECK(seen.code == 0x3fff'ffff'ffff'ffff);
  CHECK(seen.reason == reason);
  CHECK(pair.near.closed()->reason == reason);
  pair.on_near.check_ended(errc::closed_by_peer, errc::closed_by_peer);
  check_dead(pair, *pair.near_one, errc::closed_by_peer);
  CHECK(own.value->origin == origin::local_application);
  CHECK(own.value->code == 0x3fff'ffff'ffff'ffff);
}

TEST_CASE("quic: a close here ends everything here", "[quic][driver][closing]") {
  busy_pair pair(busy_pair::two_streams());
  pair.near.close(7, "mine");
  CHECK(pair.on_near.closed.ran == 0);
  pair.settle();
  CHECK(pair.on_near.closed.value->origin == origin::local_application);
  // The shutdown wanted an end, and this side made it.
  pair.on_near.check_ended(errc::closed, {});
  check_dead(pair, *pair.near_one, errc::closed);
}

TEST_CASE("quic: when the peer vanishes everything ends with one clear error",
          "[quic][driver][closing]") {
  auto config = busy_pair::two_streams();
  config.max_idle_timeout = 300ms;
  busy_pair pair(config);
  // Not a word more from there: the socket goes with the context.
  pair.far_context.reset();
  pair.run_until([&] { return pair.on_near.closed.ran == 1; });
  pair.settle();
  CHECK(pair.on_near.closed.value->origin == origin::idle_timeout);
  pair.on_near.check_ended(errc::timed_out, errc::timed_out);
  check_dead(pair, *pair.near_one, errc::timed_out);
}

TEST_CASE("quic: borrowed writes end with what stopped them", "[quic][driver][closing]") {
  const bool finished = GENERATE(false, true);
  CAPTURE(finished);
  endpoint_pair pair;
  pair.connect();
  auto [near, far] = pair.make_streams();
  const std::string large(4 << 20, 'x');
  plain_outcome borrowed, finish;
  near->async_write_borrowed(asio::buffer(large), borrowed.handler());
  if (finished) near->async_finish(finish.handler());
  pair.settle();
  REQUIRE(borrowed.waits());
  SECTION("the peer reads no more") {
    far->reset(9);
    pair.run_until([&] { return borrowed.ran == 1; });
    CHECK(borrowed.error == errc::write_stopped);
  }
  SECTION("the connection ends") {
    pair.far.close(9);
    pair.run_until([&] { return borrowed.ran == 1; });
    CHECK(borrowed.error == errc::closed_by_peer);
  }
}

TEST_CASE("quic: a dial to nobody ends with the handshake's timeout", "[quic][driver][closing]") {
  const mute_peer mute;
  endpoint_pair pair;
  pair.client_config.handshake_timeout = 50ms;
  connection_outcome dialled;
  pair.client.async_connect(mute.address, "server.test", pair.client_config, dialled.handler());
  pair.run_until([&] { return dialled.ran == 1; });
  CHECK(dialled.error == errc::timed_out);
  CHECK(dialled.error == transport::condition::timed_out);
  REQUIRE(dialled.value);
  CHECK(dialled.value.closed()->origin == origin::handshake_timeout);
}

TEST_CASE("quic: an endpoint that can only listen does not dial, and the other way round",
          "[quic][driver][closing]") {
  endpoint_pair pair;
  connection_outcome dialled, accepted;
  pair.server.async_connect(pair.client.local_address(), "server.test", {}, dialled.handler());
  pair.client.async_accept(accepted.handler());
  CHECK(dialled.ran + accepted.ran == 0);
  pair.settle();
  CHECK(dialled.ended_with(errc::not_supported));
  CHECK_FALSE(dialled.value);
  CHECK(accepted.ended_with(errc::not_supported));
}

TEST_CASE("quic: a shutdown waits for acknowledgements, or for its deadline",
          "[quic][driver][closing]") {
  const bool reads = GENERATE(true, false);
  CAPTURE(reads);
  endpoint_pair pair;
  pair.connect();
  auto [near, far] = pair.make_streams();
  const std::string large(4 << 20, 'x');
  std::string got;
  size_outcome written;
  plain_outcome finished, down;
  reason_outcome closed;
  asio::async_write(*near, asio::buffer(large), written.handler());
  if (reads) {
    std::string piece(100'000, ' ');
    while (got.size() < large.size()) {
      size_outcome read;
      far->async_read_some(asio::buffer(piece), read.handler());
      pair.run_until([&] { return read.ran == 1; });
      REQUIRE_FALSE(read.error);
      got += piece.substr(0, read.value);
    }
    near->async_finish(finished.handler());
  } else {
    pair.settle();  // now the window is full; before, all that was accepted may be acknowledged
    CHECK(written.ran == 0);
  }
  pair.far.async_wait_closed(closed.handler());
  const auto deadline = reads ? transport::duration(10s) : transport::duration(50ms);
  pair.near.async_shutdown(deadline, 5, down.handler());
  pair.run_until([&] { return down.ran == 1 && closed.ran == 1; });
  CHECK(down.error == (reads ? std::error_code() : make_error_code(errc::timed_out)));
  CHECK(closed.value->code == 5);
  CHECK((got == large) == reads);
}

TEST_CASE("quic: closing an endpoint closes all its connections with the code",
          "[quic][driver][closing]") {
  endpoint_pair pair;
  pair.connect();
  connection_outcome accepted;
  plain_outcome closed;
  reason_outcome near_end, far_end;
  pair.server.async_accept(accepted.handler());
  pair.near.async_wait_closed(near_end.handler());
  pair.far.async_wait_closed(far_end.handler());
  pair.server.async_close(11, closed.handler());
  pair.run_until([&] { return near_end.ran == 1 && far_end.ran == 1 && closed.ran == 1; });
  CHECK(near_end.value->code == 11);
  CHECK(near_end.value->origin == origin::peer_application);
  CHECK(far_end.value->origin == origin::local_application);
  pair.settle();
  CHECK(accepted.ended_with(errc::closed));
  CHECK_FALSE(closed.error);

  // Nobody is accepted any more.
  connection_outcome late, never;
  pair.server.async_accept(never.handler());
  pair.client.async_connect(pair.server.local_address(), "server.test", {}, late.handler());
  pair.run_until([&] { return late.ran == 1 && never.ran == 1; });
  CHECK(late.error == errc::refused);
  CHECK(never.error == errc::closed);
}
