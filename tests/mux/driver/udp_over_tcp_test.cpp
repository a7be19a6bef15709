// SPDX-License-Identifier: Apache-2.0
#include "strata/mux/udp_over_tcp.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <catch2/catch_test_macros.hpp>

#include "mux/driver/anytls_world.hpp"
#include "strata/transport/memory_stream.hpp"

using namespace strata;
using namespace strata::mux::testing;
using mux::anytls_options;
using mux::udp_over_tcp_options;
using mux::udp_over_tcp_socket;

namespace {

std::string raw(std::string_view hex) {
  std::string made;
  std::string digits;
  for (const char each : hex) {
    if (each == ' ') continue;
    digits += each;
    if (digits.size() != 2) continue;
    made += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return made;
}

const transport::target by_ip("192.0.2.1", 53);
const transport::target by_v6("2001:db8::1", 53);
const transport::target by_name("dns.test", 53);

struct received {
  bool done = false;
  std::error_code error;
  std::string payload;
  transport::target from{transport::address()};
  std::vector<std::byte> memory = std::vector<std::byte>(70'000);
};

struct sent {
  bool done = false;
  std::error_code error;
  asio::cancellation_signal stop;
};

/// A socket over one of two memory streams; the test has the other.
struct socket_world {
  explicit socket_world(std::size_t capacity = 256 * 1024) {
    auto pair = transport::make_memory_streams(context.get_executor(), {.capacity = capacity});
    near = std::move(pair.first);
    far = std::move(pair.second);
  }
  void be_client(const udp_over_tcp_options& options = {}) {
    socket = udp_over_tcp_socket::client(std::move(near), options);
  }
  void be_server(unsigned version = 2) {
    socket = udp_over_tcp_socket::server(std::move(near), version);
  }
  std::shared_ptr<sent> send(const transport::target& to, std::string_view payload) {
    const auto made = std::make_shared<sent>();
    socket->async_send_to(
        to, transport::as_bytes(payload),
        asio::bind_cancellation_slot(made->stop.slot(), [made](std::error_code error) {
          made->done = true;
          made->error = error;
        }));
    settle();
    return made;
  }
  std::shared_ptr<received> receive(std::size_t room = 70'000) {
    const auto made = std::make_shared<received>();
    socket->async_receive_from(transport::mutable_bytes(made->memory).first(room), made->from,
                               [made](std::error_code error, std::size_t size) {
                                 made->done = true;
                                 made->error = error;
                                 made->payload =
                                     transport::as_text(transport::bytes(made->memory).first(size));
                               });
    settle();
    return made;
  }
  /// What the other end has.
  std::string wire(std::size_t most = 256 * 1024) {
    std::string got(most, ' ');
    std::size_t size = 0;
    asio::cancellation_signal stop;
    far->async_read_some(asio::buffer(got),
                         asio::bind_cancellation_slot(
                             stop.slot(), [&](std::error_code, std::size_t n) { size = n; }));
    settle();
    stop.emit(asio::cancellation_type::terminal);
    settle();
    got.resize(size);
    return got;
  }
  void put(std::string_view bytes) {
    bool done = false;
    asio::async_write(*far, asio::buffer(bytes),
                      [&](std::error_code, std::size_t) { done = true; });
    settle();
    REQUIRE(done);
  }
  void settle() {
    do {
      context.restart();
    } while (context.poll() > 0);
  }

  asio::io_context context;
  std::unique_ptr<transport::stream> near, far;
  std::unique_ptr<udp_over_tcp_socket> socket;
};

}  // namespace

TEST_CASE("udp over tcp socket: golden bytes of version 1", "[mux][uot]") {
  socket_world world;
  world.be_client({.version = 1});
  CHECK_FALSE(world.send(by_ip, "hi")->error);
  CHECK(world.wire() == raw("00 c0000201 0035 0002 6869"));
  CHECK_FALSE(world.send(by_v6, "")->error);
  CHECK(world.wire() == raw("01 20010db8000000000000000000000001 0035 0000"));
  CHECK_FALSE(world.send(by_name, "x")->error);
  CHECK(world.wire() == raw("02 08 646e732e74657374 0035 0001 78"));
  world.put(raw("00 c0000201 0035 0003 796573"));
  const auto answer = world.receive();
  CHECK(answer->payload == "yes");
  CHECK(answer->from == by_ip);
}

TEST_CASE("udp over tcp socket: golden bytes of version 2 that connects", "[mux][uot]") {
  socket_world world;
  world.be_client({.version = 2, .connected_to = by_name});
  CHECK(world.wire().empty());
  CHECK_FALSE(world.send(by_name, "hi")->error);
  CHECK(world.wire() == raw("01 03 08 646e732e74657374 0035 0002 6869"));
  CHECK_FALSE(world.send(by_name, "")->error);
  CHECK(world.wire() == raw("0000"));
  CHECK(world.send(by_ip, "elsewhere")->error == errc::invalid_argument);
  world.put(raw("0001 79 0000"));
  auto answer = world.receive();
  CHECK(answer->payload == "y");
  CHECK(answer->from == by_name);
  answer = world.receive();
  CHECK(answer->done);
  CHECK_FALSE(answer->error);
  CHECK(answer->payload.empty());
}

TEST_CASE("udp over tcp socket: golden bytes of version 2 with addresses", "[mux][uot]") {
  socket_world world;
  world.be_client();
  CHECK_FALSE(world.send(by_ip, "hi")->error);
  CHECK(world.wire() == raw("00 01 c0000201 0035  00 c0000201 0035 0002 6869"));
  CHECK_FALSE(world.send(by_name, "x")->error);
  CHECK(world.wire() == raw("02 08 646e732e74657374 0035 0001 78"));
  world.put(raw("01 20010db8000000000000000000000001 0035 0001 79"));
  const auto answer = world.receive();
  CHECK(answer->payload == "y");
  CHECK(answer->from == by_v6);
}

TEST_CASE("udp over tcp socket: a server learns from the request how datagrams are framed",
          "[mux][uot]") {
  for (const bool connects : {false, true}) {
    socket_world world;
    world.be_server();
    CHECK(world.send(by_ip, "too early")->error == errc::unreachable);
    const std::string request = connects ? raw("01 03 08 646e732e74657374 0035 0002 6869")
                                         : raw("00 01 c0000201 0035 00 c0000201 0035 0002 6869");
    const auto got = world.receive();
    for (const char each : request) {
      CHECK_FALSE(got->done);
      world.put(std::string_view(&each, 1));
    }
    CHECK(got->payload == "hi");
    CHECK(got->from == (connects ? by_name : by_ip));
    CHECK(world.socket->connected_to().has_value() == connects);
    CHECK_FALSE(world.send(by_ip, "y")->error);
    CHECK(world.wire() == (connects ? raw("0001 79") : raw("00 c0000201 0035 0001 79")));
  }
}

TEST_CASE("udp over tcp socket: what is no request or datagram ends it", "[mux][uot]") {
  socket_world world;
  world.be_server();
  SECTION("a flag that is none") {
    world.put(raw("02 01 c0000201 0035"));
    CHECK(world.receive()->error == errc::protocol_error);
    CHECK(world.receive()->error == errc::protocol_error);
  }
  SECTION("an address that is none") {
    world.put(raw("00 01 c0000201 0035 07 c0000201"));
    CHECK(world.receive()->error == errc::protocol_error);
  }
  SECTION("an end within a datagram") {
    world.put(raw("00 01 c0000201 0035 00 c0000201 0035 0009 6869"));
    world.far->async_finish([](std::error_code) {});
    CHECK(world.receive()->error == errc::truncated);
  }
  SECTION("an end behind one") {
    world.put(raw("00 01 c0000201 0035 00 c0000201 0035 0002 6869"));
    world.far->async_finish([](std::error_code) {});
    CHECK(world.receive()->payload == "hi");
    CHECK(world.receive()->error == errc::eof);
  }
}

TEST_CASE("udp over tcp socket: datagrams of all sizes, and those that do not fit", "[mux][uot]") {
  socket_world near;
  near.be_client({.version = 1});
  for (const std::size_t size : {std::size_t{65'507}, std::size_t{65'534}, std::size_t{65'535}}) {
    const std::string payload(size, 'x');
    CHECK_FALSE(near.send(by_ip, payload)->error);
    const std::string wire = near.wire();
    CHECK(wire.size() == 9 + size);
    socket_world far;
    far.be_server(1);
    far.put(wire + raw("00 c0000201 0035 0002 6869"));
    CHECK(far.receive()->payload == payload);
    CHECK(far.receive()->payload == "hi");
  }
  const std::string too_large(65'536, 'x');
  CHECK(near.send(by_ip, too_large)->error == errc::message_too_large);
  near.put(raw("00 c0000201 0035 0003 616263 00 c0000201 0035 0002 6869"));
  CHECK(near.receive(2)->error == errc::message_too_large);
  CHECK(near.receive(2)->payload == "hi");
}

TEST_CASE("udp over tcp socket: a cancelled send leaves whole datagrams behind", "[mux][uot]") {
  socket_world world(16);
  world.be_client({.version = 1});
  SECTION("one that has begun goes out all the same") {
    const auto begun = world.send(by_ip, "twelve bytes");
    CHECK_FALSE(begun->done);
    begun->stop.emit(asio::cancellation_type::terminal);
    world.settle();
    CHECK(begun->done);
    CHECK_FALSE(begun->error);
    const auto next = world.send(by_ip, "x");
    CHECK_FALSE(next->done);
    std::string all;
    while (!next->done) all += world.wire();
    all += world.wire();
    CHECK(all == raw("00 c0000201 0035 000c") + "twelve bytes" + raw("00 c0000201 0035 0001 78"));
  }
  SECTION("one that has not begun never happens") {
    const auto begun = world.send(by_ip, "1234567");  // all that fits
    CHECK(begun->done);
    const auto waits = world.send(by_ip, "never");
    CHECK_FALSE(waits->done);
    waits->stop.emit(asio::cancellation_type::terminal);
    world.settle();
    CHECK(waits->error == errc::aborted);
    CHECK(world.wire() == raw("00 c0000201 0035 0007") + "1234567");
    CHECK(world.wire().empty());
  }
}

TEST_CASE("udp over tcp socket: closing aborts what waits and ends the stream in order",
          "[mux][uot]") {
  socket_world world;
  world.be_client({.version = 1});
  const auto waits = world.receive();
  CHECK_FALSE(world.send(by_ip, "hi")->error);
  world.socket->close();
  world.settle();
  CHECK(waits->error == errc::aborted);
  CHECK(world.receive()->error == errc::closed);
  CHECK(world.send(by_ip, "hi")->error == errc::closed);
  CHECK(world.wire() == raw("00 c0000201 0035 0002 6869"));
  std::error_code end;
  char byte = 0;
  world.far->async_read_some(asio::buffer(&byte, 1),
                             [&](std::error_code error, std::size_t) { end = error; });
  world.settle();
  CHECK(end == errc::eof);
}

// Through anytls.

TEST_CASE("anytls: datagrams there and back, in both versions and both modes",
          "[mux][uot][anytls]") {
  for (const unsigned version : {1u, 2u}) {
    for (const bool connects : {false, true}) {
      CAPTURE(version, connects);
      anytls_options options, silent;
      options.udp_version = version;
      // A server may wait for the first datagram before it says anything.
      options.await_answer = true;
      silent.session.report_timeout = 0ms;
      anytls_world world(options, silent);
      world.run([](anytls_world& in, bool connected, unsigned spoken) -> asio::awaitable<void> {
        std::unique_ptr<transport::datagram_socket> near;
        if (connected) {
          near = co_await in.dialer->async_dial_datagrams(by_name, use_awaitable);
        } else {
          near = co_await in.dialer->async_associate(use_awaitable);
        }
        const auto asked = co_await in.listener->async_accept(use_awaitable);
        CHECK(asked->udp_over_tcp() == spoken);
        const auto far = asked->accept_datagrams();
        std::vector<std::byte> memory(70'000);
        const transport::mutable_bytes room = memory;
        transport::target from{transport::address()};
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65'507}}) {
          const std::string text(size, 'x');
          const transport::bytes payload = transport::as_bytes(text);
          co_await near->async_send_to(by_name, payload, use_awaitable);
          std::size_t got = co_await far->async_receive_from(room, from, use_awaitable);
          CHECK(got == size);
          CHECK(from == by_name);
          co_await far->async_send_to(by_name, payload, use_awaitable);
          got = co_await near->async_receive_from(room, from, use_awaitable);
          CHECK(got == size);
          CHECK(from == by_name);
        }
        CHECK(far->connected_to().has_value() == (connected && spoken == 2));
      }(world, connects, version));
      world.settle();
      CHECK(world.dialer->statistics().idle == 1);
    }
  }
}
