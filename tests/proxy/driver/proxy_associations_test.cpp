// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proxy/driver/proxy_world.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/proxy/core/socks_datagram.hpp"
#include "strata/transport/udp_datagram_socket.hpp"

using namespace strata;
using namespace strata::proxy;
using namespace strata::proxy::testing;

namespace {

using socket_pointer = std::unique_ptr<transport::datagram_socket>;

struct datagrams_world : proxy_world {
  datagrams_world() {
    udp_echo = open();
    asio::co_spawn(context, serve_datagrams(), asio::detached);
  }

  std::unique_ptr<transport::udp_datagram_socket> open() {
    const auto local = transport::address::loopback_v4(0);
    return transport::udp_datagram_socket::open(context.get_executor(), local).value();
  }
  asio::awaitable<void> serve_datagrams() {
    std::vector<std::byte> memory(65536);
    const transport::mutable_bytes room = memory;
    transport::target from{transport::address()};
    for (;;) {
      const auto [error, size] = co_await udp_echo->async_receive_from(room, from, quietly);
      if (error) co_return;
      ++echoed_datagrams;
      const transport::bytes back = room.first(size);
      co_await udp_echo->async_send_to(from, back, quietly);
    }
  }
  transport::target to_udp_echo() { return transport::target(udp_echo->local_address()); }

  /// A datagram there and back; false when none comes in time.
  asio::awaitable<bool> ping(transport::datagram_socket& by, transport::target where,
                             std::size_t size = 100) {
    const std::vector<std::byte> sent(size, std::byte{7});
    const transport::bytes out = sent;
    const auto [failed] = co_await by.async_send_to(where, out, quietly);
    if (failed) co_return false;
    std::vector<std::byte> memory(65536);
    const transport::mutable_bytes room = memory;
    transport::target from{transport::address()};
    auto receiving = by.async_receive_from(room, from);
    const auto [error, count] =
        co_await transport::with_timeout(std::move(receiving), 300ms, quietly);
    CHECK((error || from == to_udp_echo()));
    co_return !error && count == size;
  }

  std::unique_ptr<transport::udp_datagram_socket> udp_echo;
  int echoed_datagrams = 0;
};

asio::awaitable<socket_pointer> associate(outbound& by) {
  auto [error, made] = co_await by.async_associate(quietly);
  CHECK_FALSE(error);
  co_return std::move(made);
}

/// By hand: the port of an association, and the connection that holds it.
struct association {
  stream_pointer control;
  transport::target port{transport::address()};
};

asio::awaitable<association> open_association(proxy_world& in) {
  association made;
  made.control = co_await in.raw();
  co_await send(*made.control, std::string("\5\1\0\5\3\0\1\0\0\0\0\0\0", 13));
  const std::string answer = co_await receive(*made.control, 12);
  REQUIRE(answer.size() == 12);
  CHECK(answer[3] == 0);
  const auto port = static_cast<std::uint16_t>(static_cast<unsigned char>(answer[10]) << 8 |
                                               static_cast<unsigned char>(answer[11]));
  made.port = transport::target(transport::address::loopback_v4(port));
  co_return made;
}

std::vector<std::byte> packet(const transport::target& where, std::string_view payload,
                              unsigned fragment = 0) {
  std::array<std::byte, core::socks_datagram::max_header_size> header;
  const std::size_t size = core::encode_socks_datagram_header(where, header);
  std::vector<std::byte> made(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
  made[2] = static_cast<std::byte>(fragment);
  const transport::bytes rest = transport::as_bytes(payload);
  made.insert(made.end(), rest.begin(), rest.end());
  return made;
}

/// Counts what it associates.
class counted_outbound final : public outbound {
 public:
  counted_outbound(std::shared_ptr<outbound> by, int& count) : by_(std::move(by)), count_(count) {}

 private:
  asio::any_io_executor do_executor() noexcept override { return by_->get_executor(); }
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override {
    by_->async_dial(where, std::move(waiting.handler));
  }
  void do_associate(transport::completion<associate_signature> waiting) override {
    ++count_;
    by_->async_associate(std::move(waiting.handler));
  }

  std::shared_ptr<outbound> by_;
  int& count_;
};

}  // namespace

TEST_CASE("datagrams go through an association and come back, empty and large ones too") {
  datagrams_world world;
  world.start();
  world.run([](datagrams_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const socket_pointer socket = co_await associate(*by);
    for (const std::size_t size : {100u, 0u, 1u, 9000u, 60'000u}) {
      const bool came = co_await in.ping(*socket, in.to_udp_echo(), size);
      CHECK(came);
    }
    CHECK(in.server->sessions().size() == 1);
    socket->close();
    co_await in.until([&] { return in.server->statistics().active == 0; });
  }(world));
  REQUIRE(world.reports.size() == 1);
  CHECK(world.reports[0].moved.forth == 69'101);
  CHECK(world.reports[0].moved.back == 69'101);
}

TEST_CASE("an association takes datagrams of its client alone, and no fragments",
          "[attack][P09][proxy]") {
  datagrams_world world;
  world.start();
  world.run([](datagrams_world& in) -> asio::awaitable<void> {
    const association held = co_await open_association(in);
    const auto client = in.open(), stranger = in.open();
    const std::vector<std::byte> good = packet(in.to_udp_echo(), "mine");
    const std::vector<std::byte> fragment = packet(in.to_udp_echo(), "part", 1);
    const auto foreigner = transport::udp_datagram_socket::open(
        in.context.get_executor(), *transport::address::parse("127.0.0.2:0"));
    co_await (*foreigner)->async_send_to(held.port, good, quietly);
    co_await client->async_send_to(held.port, good, quietly);
    co_await in.until([&] { return in.echoed_datagrams == 1; });
    // Another port of the same host: it is not who began.
    co_await stranger->async_send_to(held.port, good, quietly);
    co_await client->async_send_to(held.port, fragment, quietly);
    co_await client->async_send_to(held.port, good, quietly);
    co_await in.until([&] { return in.echoed_datagrams == 2; });
    co_await wait(in.context, 30ms);
    CHECK(in.echoed_datagrams == 2);
  }(world));
}

TEST_CASE("an association sends through no more outbounds than allowed",
          "[attack][P09][proxy][limits]") {
  constexpr int limit = core::limits::max_association_paths;
  const int wanted = GENERATE_COPY(limit - 1, limit, limit + 1);
  datagrams_world world;
  int associated = 0;
  const auto direct = world.direct({"127.0.0.0/8"});
  std::vector<core::rule> rules;
  for (int i = 0; i < wanted; ++i) {
    core::rule& one = rules.emplace_back();
    one.networks = {core::ip_network::parse("127.0.1." + std::to_string(i) + "/32").value()};
    one.outbound = "way " + std::to_string(i);
    world.routes->outbounds[one.outbound] = std::make_shared<counted_outbound>(direct, associated);
  }
  rules[0].networks = {core::ip_network::parse("127.0.0.1/32").value()};
  world.routes->table = core::routing_table(rules, "");
  world.start();
  world.run([](datagrams_world& in, int all) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const socket_pointer socket = co_await associate(*by);
    const std::vector<std::byte> sent(1);
    const transport::bytes out = sent;
    for (int i = 1; i < all; ++i) {
      // Each has come, and gone on, when the next is answered.
      const bool came = co_await in.ping(*socket, in.to_udp_echo());
      CHECK(came);
      const transport::target elsewhere("127.0.1." + std::to_string(i), 9);
      co_await socket->async_send_to(elsewhere, out, quietly);
    }
    const bool came = co_await in.ping(*socket, in.to_udp_echo());
    CHECK(came);
  }(world, wanted));
  CHECK(associated == std::min(wanted, limit));
}

TEST_CASE("an association dies with its connection, and with silence", "[attack][P09][proxy]") {
  datagrams_world world;
  const bool by_silence = GENERATE(false, true);
  if (by_silence) world.options.association_idle = 60ms;
  world.start();
  world.run([](datagrams_world& in, bool silent) -> asio::awaitable<void> {
    association held = co_await open_association(in);
    const auto client = in.open();
    const std::vector<std::byte> good = packet(in.to_udp_echo(), "mine");
    co_await client->async_send_to(held.port, good, quietly);
    co_await in.until([&] { return in.echoed_datagrams == 1; });
    if (!silent) held.control.reset();
    co_await in.until([&] { return in.server->statistics().active == 0; });
    co_await client->async_send_to(held.port, good, quietly);
    co_await wait(in.context, 30ms);
    CHECK(in.echoed_datagrams == 1);
  }(world, by_silence));
}

TEST_CASE("rules and the filter hold for datagrams, too", "[attack][P05][proxy]") {
  datagrams_world world;
  core::rule streams;
  streams.what = core::carried::stream;
  streams.outbound = "direct";
  const bool by_rule = GENERATE(false, true);
  if (by_rule)
    world.routes->table = core::routing_table({streams}, "");
  else
    world.routes->outbounds["direct"] = world.direct({});
  world.start();
  world.run([](datagrams_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const socket_pointer socket = co_await associate(*by);
    const bool came = co_await in.ping(*socket, in.to_udp_echo());
    CHECK_FALSE(came);
  }(world));
  CHECK(world.echoed_datagrams == 0);
}

TEST_CASE("names of datagrams are looked up at the far end") {
  datagrams_world world;
  world.routes->outbounds["direct"] = world.direct({"127.0.0.0/8", "::1"});
  world.start();
  world.run([](datagrams_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const socket_pointer socket = co_await associate(*by);
    const transport::target name("127.0.0.1.nip.invalid", in.to_udp_echo().port());
    const transport::bytes payload = transport::as_bytes("x");
    const auto [lost] = co_await socket->async_send_to(name, payload, quietly);
    CHECK_FALSE(lost);  // as datagrams are
    const bool came = co_await in.ping(*socket, in.to_udp_echo());
    CHECK(came);
  }(world));
}

TEST_CASE("an HTTP proxy carries no datagrams") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    http_outbound by(in.tcp(), in.through());
    const auto [error, made] = co_await by.async_associate(quietly);
    CHECK(error == errc::command_not_supported);
  }(world));
}

TEST_CASE("BIND is refused unless it is wanted, and then takes the expected peer",
          "[attack][P10][proxy]") {
  proxy_world world;
  const bool wanted = GENERATE(false, true);
  world.options.inbound.bind = wanted;
  world.start();
  world.run([](proxy_world& in, bool works) -> asio::awaitable<void> {
    const auto control = co_await in.raw();
    co_await send(*control, std::string("\5\1\0\5\2\0\1\x7f\0\0\1\0\x50", 13));
    const std::string first = co_await receive(*control, 12);
    REQUIRE(first.size() == 12);
    CHECK(first[3] == (works ? 0 : 7));
    if (!works) co_return;
    const auto port = static_cast<std::uint16_t>(static_cast<unsigned char>(first[10]) << 8 |
                                                 static_cast<unsigned char>(first[11]));
    const transport::target there(transport::address::loopback_v4(port));
    const outcome caller = co_await in.dial(in.tcp(), there);
    REQUIRE_FALSE(caller.error);
    const std::string second = co_await receive(*control, 10);
    REQUIRE(second.size() == 10);
    CHECK(second[1] == 0);
    co_await send(*caller.stream, "hello");
    const std::string heard = co_await receive(*control, 5);
    CHECK(heard == "hello");
  }(world, wanted));
}
