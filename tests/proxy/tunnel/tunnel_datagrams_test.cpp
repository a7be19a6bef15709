// SPDX-License-Identifier: Apache-2.0
// Datagrams of anytls clients (udp-over-tcp) at the tunnel server.
#include <catch2/generators/catch_generators.hpp>
#include <optional>

#include "datagram_world.hpp"
#include "driver/datagram_relay.hpp"
#include "strata/mux/core/error.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;

TEST_CASE("tunnel datagrams: there and back, in each version, from none to the most bytes",
          "[proxy][tunnel][limits]") {
  const how mode = GENERATE(how::version_1, how::version_2, how::connected);
  datagram_world world;
  world.serve_datagrams();
  const auto way = std::make_shared<counted_way>(world.only_to({"127.0.0.0/8"}));
  world.server->use(way, "direct");
  world.run([](datagram_world& in, how wanted) -> asio::awaitable<void> {
    const place where = in.echo.where();
    const socket_pointer socket = co_await in.open(wanted, where);
    for (const std::size_t size : {100u, 0u, 1u, 9000u, 65'506u, 65'507u}) {
      co_await in.ping(*socket, where, std::string(size, 'x'));
      CHECK(in.sender == where);
    }
    // What is too large for UDP is lost, and nothing else.
    co_await in.put(*socket, where, std::string(65'508, 'y'));
    co_await in.put(*socket, where, std::string(65'535, 'y'));
    co_await in.ping(*socket, where, "the last");
    CHECK(in.server->statistics().streams == 1);
  }(world, mode));
  world.expect_end();
  CHECK(world.echo.heard == 7);
  CHECK(way->associated == 1);
  const proxy::tunnel_report& report = world.reports[0];
  CHECK(report.by == proxy::tunnel_report::carrier::anytls);
  CHECK(report.user == "alice");
  CHECK(report.client.same_ip(address::loopback_v4(0)));
  CHECK(report.datagrams);
  CHECK(report.outbound == "direct");
  CHECK(report.connecting);
  CHECK(report.where == world.echo.where());
  CHECK_FALSE(report.error);
  CHECK(report.moved.back == 140'122);
  CHECK(report.moved.forth == 140'122 + 65'508 + 65'535);
  CHECK(world.server->statistics().moved.back == 140'122);
  CHECK(world.server->statistics().succeeded == 1);
}

TEST_CASE("tunnel datagrams: names are looked up by the way out", "[proxy][tunnel]") {
  const how mode = GENERATE(how::version_1, how::version_2, how::connected);
  datagram_world world;
  world.serve_datagrams();
  const auto way = std::make_shared<counted_way>(world.only_to({"127.0.0.0/8"}));
  world.server->use(way);
  world.run([](datagram_world& in, how wanted) -> asio::awaitable<void> {
    const place named("echo.test", in.echo.where().port());
    const socket_pointer socket = co_await in.open(wanted, named);
    for (const char* each : {"one", "two"}) {
      co_await in.ping(*socket, named, each);
      CHECK(in.sender == (wanted == how::connected ? named : in.echo.where()));
    }
    if (wanted == how::connected) co_return;
    for (const char* each : {"nobody.test", "slow.test", "mute.test"}) {
      const place nobody(each, 9);
      co_await in.put(*socket, nobody, "x");
      co_await in.ping(*socket, named, each);
    }
  }(world, mode));
  world.expect_end();
  CHECK(way->associated == 1);
  CHECK(world.reports[0].where.name() == "echo.test");
}

TEST_CASE("tunnel datagrams: who named one target hears nobody else", "[attack][P09][proxy]") {
  const how mode = GENERATE(how::version_2, how::connected);
  const bool by_name = GENERATE(false, true);
  datagram_world world;
  world.serve_datagrams();
  world.run([](datagram_world& in, how wanted, bool named) -> asio::awaitable<void> {
    const std::uint16_t port = in.echo.where().port();
    const place where = named ? place("echo.test", port) : in.echo.where();
    // One has another port, one another address.
    const auto neighbour =
        transport::udp_datagram_socket::open(in.executor(), address::loopback_v4(0));
    const auto impostor = transport::udp_datagram_socket::open(
        in.executor(), *address::parse("127.0.0.2:" + std::to_string(port)));
    const socket_pointer socket = co_await in.open(wanted, where);
    co_await in.ping(*socket, where, "who are you?");
    for (int i = 0; i < 2; ++i) {
      co_await in.put(**neighbour, in.echo.from, "I");
      co_await in.put(**impostor, in.echo.from, "am");
      co_await in.put(*socket, where, "the echo");
      if (wanted != how::connected) {
        const std::string first = co_await in.take(*socket);
        CHECK(first == "I");
        CHECK(in.sender == (*neighbour)->local_address());
        const std::string second = co_await in.take(*socket);
        CHECK(second == "am");
        CHECK(in.sender == (*impostor)->local_address());
      }
      const std::string heard = co_await in.take(*socket);
      CHECK(heard == "the echo");
    }
  }(world, mode, by_name));
  world.expect_end();
  CHECK(world.reports[0].moved.back == (mode == how::connected ? 28 : 34));
}

namespace {

/// A socket that looks up what it is told.
class knowing_socket final : public transport::datagram_socket {
 public:
  explicit knowing_socket(asio::io_context& context) : context_(context) {}
  std::optional<address> known{};

  std::size_t max_datagram_size() const noexcept override { return 0; }
  void close() noexcept override {}
  std::optional<address> resolved(const place& to) const override {
    return to.is_name() ? known : datagram_socket::resolved(to);
  }

 private:
  asio::any_io_executor do_executor() noexcept override { return context_.get_executor(); }
  void do_send_to(const place&, transport::bytes, transport::completion<send_signature>) override {}
  void do_receive_from(transport::mutable_bytes, place&,
                       transport::completion<receive_signature>) override {}
  asio::io_context& context_;
};

}  // namespace

TEST_CASE("tunnel datagrams: who is first to answer is not taken for the name's address",
          "[attack][P09][proxy]") {
  datagram_world world;
  world.serve_datagrams();
  world.run([](datagram_world& in) -> asio::awaitable<void> {
    const auto genuine =
        transport::udp_datagram_socket::open(in.executor(), address::loopback_v4(0));
    const std::uint16_t port = (*genuine)->local_address().port();
    const auto impostor = transport::udp_datagram_socket::open(
        in.executor(), *address::parse("127.0.0.2:" + std::to_string(port)));
    const place named("echo.test", port);
    const socket_pointer socket = co_await in.open(how::connected, named);
    co_await in.put(*socket, named, "hello");
    const std::string asked = co_await in.take(**genuine);
    CHECK(asked == "hello");
    const place asking = in.sender;
    co_await in.put(**impostor, asking, "forged");
    co_await in.put(**genuine, asking, "answer");
    const std::string heard = co_await in.take(*socket);
    CHECK(heard == "answer");
  }(world));
  world.expect_end();
}

TEST_CASE("tunnel datagrams: whose answers are those of a name", "[attack][P09][proxy]") {
  asio::io_context context;
  knowing_socket by(context);
  const place named("dns.test", 53);
  const place right("192.0.2.1", 53), other("192.0.2.2", 53), elsewhere("192.0.2.1", 54);
  proxy::detail::connected_peer peer;
  CHECK_FALSE(peer.is(right, by));
  peer = proxy::detail::connected_peer(named);
  CHECK(peer.where() == named);
  SECTION("which was looked up here") {
    by.known = right.ip();
    CHECK_FALSE(peer.is(other, by));
    CHECK_FALSE(peer.is(elsewhere, by));
    CHECK(peer.where() == named);
    CHECK(peer.is(right, by));
    // It stays with that one, wherever the name leads next.
    by.known = other.ip();
    CHECK(peer.where() == right);
    CHECK_FALSE(peer.is(other, by));
    CHECK(peer.is(right, by));
  }
  SECTION("which is looked up further on") {
    CHECK_FALSE(peer.is(elsewhere, by));
    CHECK(peer.is(right, by));
    CHECK_FALSE(peer.is(other, by));
    CHECK_FALSE(peer.is(elsewhere, by));
    CHECK(peer.is(right, by));
    CHECK(peer.where() == named);
  }
  SECTION("and goes by it") {
    CHECK(peer.is(named, by));
    CHECK_FALSE(peer.is(right, by));
  }
  SECTION("an address is itself") {
    peer = proxy::detail::connected_peer(right);
    CHECK(peer.where() == right);
    CHECK_FALSE(peer.is(other, by));
    CHECK_FALSE(peer.is(elsewhere, by));
    CHECK(peer.is(right, by));
  }
}

TEST_CASE("tunnel datagrams: nothing goes to a denied address", "[attack][P05][proxy]") {
  const how mode = GENERATE(how::version_1, how::version_2, how::connected);
  const int which = GENERATE(0, 1, 2);
  datagram_world world;
  world.serve_datagrams();
  world.server->use(world.only_to({"127.0.0.2/32"}));
  const std::uint16_t port = world.echo.where().port();
  const std::array denied{world.echo.where(), place("::ffff:127.0.0.1", port),
                          place("echo.test", port)};
  world.run([](datagram_world& in, how wanted, place forbidden) -> asio::awaitable<void> {
    datagram_echo allowed(in.context, *address::parse("127.0.0.2:0"));
    const socket_pointer socket = co_await in.open(wanted, forbidden);
    // Each is looked at, and not the first alone.
    if (wanted != how::connected) co_await in.ping(*socket, allowed.where(), "before");
    co_await in.put(*socket, forbidden, "secret");
    if (wanted != how::connected) co_await in.ping(*socket, allowed.where(), "behind");
  }(world, mode, denied[static_cast<std::size_t>(which)]));
  world.expect_end();
  CHECK(world.echo.heard == 0);
  CHECK_FALSE(world.reports[0].error);
  CHECK(world.reports[0].moved.back == (mode == how::connected ? 0 : 12));
}

TEST_CASE("tunnel datagrams: they are refused where the way out has none", "[proxy][tunnel]") {
  const auto* name = GENERATE("sp.udp-over-tcp.arpa", "sp.v2.udp-over-tcp.arpa");
  datagram_world world;
  world.serve_datagrams();
  world.server->use(std::make_shared<streams_only>(world.direct()));
  CHECK(world.raw(name).error == mux::errc::stream_refused);
  world.expect_end();
  CHECK(world.reports[0].error == proxy::errc::command_not_supported);
  CHECK(world.reports[0].datagrams);
  CHECK(world.server->statistics().failed == 1);

  world.run([](datagram_world& in) -> asio::awaitable<void> {
    const socket_pointer socket = co_await in.open(how::version_2, in.echo.where());
    co_await in.put(*socket, in.echo.where(), "x");
    const std::string none = co_await in.take(*socket);
    CHECK(in.ended == mux::errc::stream_refused);
  }(world));
  CHECK(world.echo.heard == 0);
}

TEST_CASE("tunnel datagrams: how clients end", "[proxy][tunnel]") {
  datagram_world world;
  world.serve_datagrams();
  auto one = world.raw();
  REQUIRE_FALSE(one.error);
  const std::uint16_t port = world.echo.where().port();
  const std::string port_text{static_cast<char>(port >> 8), static_cast<char>(port & 255)};
  const std::string request = std::string("\0\1\x7f\0\0\1", 6) + port_text;
  const std::string datagram = std::string("\0\x7f\0\0\1", 5) + port_text + std::string("\0\1x", 3);
  std::error_code expected;
  unsigned echoed = 1;
  SECTION("at once") {
    world.go(one);
    echoed = 0;
  }
  SECTION("in order, behind their last datagram") {
    world.say(*one.stream, request + datagram);
    world.go(one);
  }
  SECTION("within a datagram") {
    world.say(*one.stream, request + datagram + datagram.substr(0, 8));
    world.go(one);
    expected = errc::truncated;
  }
  SECTION("with a reset") {
    world.say(*one.stream, request + datagram);
    CHECK(world.hear(*one.stream, 10) == datagram);
    one.stream.reset();
  }
  SECTION("with nonsense") {
    world.say(*one.stream, request + datagram + "\7");
    expected = errc::protocol_error;
  }
  SECTION("with a request that is none") {
    world.say(*one.stream, "\2" + request.substr(1));
    expected = errc::protocol_error;
    echoed = 0;
  }
  world.expect_end();
  CHECK(world.reports[0].error == expected);
  CHECK(world.echo.heard == echoed);
  CHECK(world.reports[0].moved.forth == echoed);
  if (one.stream) world.hear(*one.stream);
  CHECK((!one.stream || world.ended));
}

TEST_CASE("tunnel datagrams: silence ends them", "[proxy][tunnel][limits]") {
  const bool has_spoken = GENERATE(false, true);
  datagram_world world;
  world.serve_datagrams(60ms);
  world.run([](datagram_world& in, bool speaks) -> asio::awaitable<void> {
    const socket_pointer socket = co_await in.open(how::version_2, in.echo.where());
    if (speaks) co_await in.ping(*socket, in.echo.where(), "hello");
    const std::string none = co_await in.take(*socket);
    CHECK(in.ended == errc::eof);
  }(world, has_spoken));
  world.expect_end();
  CHECK_FALSE(world.reports[0].error);
  CHECK(world.reports[0].lasted >= 60ms);
}

TEST_CASE("tunnel datagrams: who is not silent stays", "[proxy][tunnel][limits]") {
  datagram_world world;
  world.serve_datagrams(250ms);
  world.run([](datagram_world& in) -> asio::awaitable<void> {
    const socket_pointer socket = co_await in.open(how::version_2, in.echo.where());
    const auto until = std::chrono::steady_clock::now() + 600ms;
    while (std::chrono::steady_clock::now() < until)
      co_await in.ping(*socket, in.echo.where(), "hello");
    CHECK(in.server->statistics().streams == 1);
  }(world));
  world.expect_end();
}

TEST_CASE("tunnel datagrams: each client has a socket of its own", "[attack][P09][proxy]") {
  datagram_world world;
  world.serve_datagrams();
  world.run([](datagram_world& in) -> asio::awaitable<void> {
    const place where = in.echo.where();
    const socket_pointer one = co_await in.open(how::version_2, where);
    const socket_pointer two = co_await in.open(how::version_2, where);
    co_await in.ping(*one, where, "one");
    const place first = in.echo.from;
    co_await in.ping(*two, where, "two");
    CHECK(in.echo.from != first);
    co_await in.put(in.echo.socket(), first, "for one");
    co_await in.ping(*two, where, "two again");
    const std::string back = co_await in.take(*one);
    CHECK(back == "for one");
    CHECK(in.server->statistics().streams == 2);
  }(world));
  world.run_until([&] { return world.reports.size() == 2; });
}

TEST_CASE("tunnel datagrams: a way out that was lost is taken again", "[proxy][tunnel]") {
  datagram_world world;
  world.serve_datagrams();
  const auto way = std::make_shared<counted_way>(world.only_to({"127.0.0.0/8"}));
  world.server->use(way);
  world.run([](datagram_world& in, counted_way& by) -> asio::awaitable<void> {
    const place where("echo.test", in.echo.where().port());
    const socket_pointer socket = co_await in.open(how::connected, where);
    co_await in.ping(*socket, where, "first");
    CHECK(by.associated == 1);
    by.last->close();
    co_await in.ping(*socket, where, "second");
    CHECK(by.associated == 2);
    // It stays with who has answered, wherever the name leads by now.
    CHECK(in.names->asked == 1);
  }(world, *way));
  world.expect_end();
  CHECK_FALSE(world.reports[0].error);
}

TEST_CASE("tunnel datagrams: nobody answers before anything was sent", "[attack][P09][proxy]") {
  const how mode = GENERATE(how::version_1, how::version_2);
  datagram_world world;
  world.serve_datagrams();
  const auto way = std::make_shared<counted_way>(world.only_to({"127.0.0.0/8"}));
  way->hears_early = true;
  world.server->use(way);
  world.run([](datagram_world& in, how wanted) -> asio::awaitable<void> {
    const socket_pointer socket = co_await in.open(wanted, in.echo.where());
    co_await in.ping(*socket, in.echo.where(), "hello");
  }(world, mode));
  world.expect_end();
  CHECK(world.reports[0].moved.back == 5);
}

TEST_CASE("tunnel datagrams: they are drained as streams are", "[proxy][tunnel]") {
  datagram_world world;
  world.serve_datagrams();
  std::optional<std::error_code> drained;
  world.run([](datagram_world& in, auto& result) -> asio::awaitable<void> {
    const socket_pointer socket = co_await in.open(how::version_2, in.echo.where());
    co_await in.ping(*socket, in.echo.where(), "before");
    in.server->async_drain(200ms, [&](std::error_code error) { result = error; });
    co_await in.ping(*socket, in.echo.where(), "meanwhile");
    CHECK_FALSE(result);
    const std::string none = co_await in.take(*socket);
    CHECK(in.ended == errc::eof);
  }(world, drained));
  world.expect_end();
  REQUIRE(drained);
  CHECK(*drained == errc::timed_out);
  CHECK(world.reports[0].error == errc::aborted);
}
