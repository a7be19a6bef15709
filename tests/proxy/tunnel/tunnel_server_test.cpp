// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/tunnel_server.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <optional>

#include "ech_world.hpp"
#include "strata/mux/anytls.hpp"
#include "strata/proxy/ech_dialer.hpp"
#include "strata/proxy/upstream_outbound.hpp"
#include "strata/transport/websocket_stream.hpp"
#include "testkit/need_ech.hpp"
#include "tunnel_world.hpp"

using namespace strata;
using namespace std::chrono_literals;
using proxy::core::tunnel_mode;
using tests::tunnel_world;
using transport::errc;

namespace {

const std::string upgrade =
    "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A yamux session with the server, to write on its streams what one likes.
std::shared_ptr<transport::connection> raw_session(tunnel_world& in) {
  transport::websocket_options how;
  how.request.subprotocols = {tests::secret};
  auto dialer = std::make_shared<transport::websocket_dialer>(in.carriers, how);
  mux::yamux_dialer sessions(dialer);
  std::shared_ptr<transport::connection> out;
  testkit::run_awaitable(
      in.context,
      [](mux::yamux_dialer& by, transport::target to,
         std::shared_ptr<transport::connection>& result) -> asio::awaitable<void> {
        auto [error, made] = co_await by.async_dial(to, tests::quietly);
        result = std::move(made);
      }(sessions, transport::target("a.test", 80), out));
  REQUIRE(out);
  return out;
}

std::unique_ptr<transport::stream> raw_stream(tunnel_world& in, transport::connection& of) {
  std::unique_ptr<transport::stream> out;
  testkit::run_awaitable(in.context,
                         [](transport::connection& by,
                            std::unique_ptr<transport::stream>& result) -> asio::awaitable<void> {
                           auto [error, made] = co_await by.async_open_stream(tests::quietly);
                           result = std::move(made);
                         }(of, out));
  REQUIRE(out);
  return out;
}

std::error_code drain(tunnel_world& in, transport::duration limit) {
  std::optional<std::error_code> out;
  in.server->async_drain(limit, [&](std::error_code error) { out = error; });
  in.run_until([&] { return out.has_value(); });
  return *out;
}

}  // namespace

TEST_CASE("tunnel server: strangers see a web server, whatever they try", "[proxy][tunnel]") {
  tunnel_world in;
  in.serve();
  const std::string page = in.visit("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  CHECK(page.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(page.find("\r\nServer: nginx\r\n") != page.npos);
  CHECK(page.find("Welcome to nginx!") != page.npos);
  CHECK(in.visit("GET /a?b HTTP/1.1\r\nHost: a.test\r\n\r\n") == page);
  CHECK(in.visit(upgrade + "\r\n") == page);
  CHECK(in.visit(upgrade + "Sec-WebSocket-Protocol: chat, wrong\r\n\r\n") == page);
  CHECK(in.visit(upgrade + "Sec-WebSocket-Protocol: " + tests::secret.substr(1) + "\r\n\r\n") ==
        page);
  // Who knows the secret, but opens no WebSocket.
  CHECK(in.visit("GET /" + tests::secret + " HTTP/1.1\r\nHost: a.test\r\n\r\n") == page);
  CHECK(in.server->statistics().strangers == 6);

  for (const char* path : {"/health", "/healthz", "/health?x"}) {
    const std::string answer =
        in.visit("GET " + std::string(path) + " HTTP/1.1\r\nHost: a.test\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.ends_with("\r\n\r\nOK") == (std::string_view(path) != "/health?x"));
  }
  CHECK(in.server->statistics().health_checks == 2);
  CHECK(in.visit("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(in.server->statistics().malformed == 1);
  in.run_until([&] { return in.server->statistics().sessions == 0; });
}

TEST_CASE("tunnel server: the secret opens it, as subprotocol or in the path", "[proxy][tunnel]") {
  tunnel_world in;
  in.serve();
  auto options = in.way_options(tunnel_mode::simple);
  SECTION("among other subprotocols") {
    transport::websocket_options how;
    how.request.subprotocols = {"chat", tests::secret};
    transport::websocket_dialer dialer(in.carriers, how);
    std::error_code got = errc::aborted;
    testkit::run_awaitable(in.context,
                           [](transport::stream_dialer& by, transport::target to,
                              std::error_code& result) -> asio::awaitable<void> {
                             auto [error, made] = co_await by.async_dial(to, tests::quietly);
                             result = error;
                             const auto& opened = static_cast<transport::websocket_stream&>(*made);
                             CHECK(opened.subprotocol() == tests::secret);
                           }(dialer, transport::target("a.test", 80), got));
    CHECK_FALSE(got);
    return;
  }
  SECTION("at the end of the path") { options.path = "/" + tests::secret; }
  SECTION("in the query") { options.path = "/?k=" + tests::secret + "x"; }
  options.uuid.clear();
  in.use(options);
  CHECK_FALSE(in.dial().error);
}

TEST_CASE("tunnel server: targets are read in pieces, and without their end", "[proxy][tunnel]") {
  tunnel_world in;
  in.serve();
  const auto session = raw_session(in);
  const std::string where = in.target.where().string();
  SECTION("in pieces") {
    auto one = raw_stream(in, *session);
    for (const char letter : where + "\nfirst\n") {
      REQUIRE_FALSE(in.say(*one, std::string(1, letter)));
      in.context.poll();
    }
    CHECK(in.hear(*one, 6) == "first\n");
  }
  SECTION("alone") {
    auto one = raw_stream(in, *session);
    REQUIRE_FALSE(in.say(*one, where));
    in.run_until([&] { return in.server->statistics().streams == 1; });
    auto other = raw_stream(in, *session);
    REQUIRE_FALSE(in.say(*other, where + "\nx"));
    CHECK(in.hear(*other, 1) == "x");
    // By now the first is on its way to its target, or will be soon: what follows is for that.
    const auto until = std::chrono::steady_clock::now() + 250ms;
    while (std::chrono::steady_clock::now() < until) in.context.run_one_for(10ms);
    REQUIRE_FALSE(in.say(*one, "late"));
    CHECK(in.hear(*one, 4) == "late");
  }
  SECTION("alone, with the end") {
    auto one = raw_stream(in, *session);
    REQUIRE_FALSE(in.say(*one, where));
    REQUIRE_FALSE(in.finish(*one));
    CHECK(in.hear(*one).empty());
    CHECK(in.ended == errc::eof);
    CHECK(in.reports.size() == 1);
  }
  SECTION("nonsense") {
    for (const std::string& odd : {std::string("nowhere\n"), std::string("\n"),
                                   std::string(513, 'x'), std::string("a:0\n")}) {
      auto one = raw_stream(in, *session);
      REQUIRE_FALSE(in.say(*one, odd));
      CHECK(in.hear(*one).empty());
      CHECK(in.ended == errc::stream_reset);
    }
    CHECK(in.server->statistics().malformed == 4);
    CHECK(in.reports.empty());
  }
}

TEST_CASE("tunnel server: who says nothing does not stay", "[proxy][tunnel]") {
  tunnel_world in;
  auto options = in.server_options();
  options.opening_timeout = 60ms;
  in.serve(options);
  SECTION("no request") { CHECK(in.visit("GET / HT").empty()); }
  SECTION("no first message") {
    CHECK(in.visit(upgrade + "Sec-WebSocket-Protocol: " + tests::secret + "\r\n\r\n")
              .starts_with("HTTP/1.1 101 "));
  }
  SECTION("no target") {
    const auto session = raw_session(in);
    auto one = raw_stream(in, *session);
    in.hear(*one);
    CHECK(in.ended == errc::stream_reset);
    in.server.reset();
    return;
  }
  in.run_until([&] { return in.server->statistics().sessions == 0; });
}

TEST_CASE("tunnel server: addresses are filtered, and sessions and streams counted",
          "[proxy][tunnel][limits]") {
  tunnel_world in;
  auto options = in.server_options();
  options.max_per_source = 1;
  options.max_streams = 2;
  in.serve(options);
  in.use(in.way_options(tunnel_mode::yamux));
  auto one = in.dial();
  auto two = in.dial();
  auto three = in.dial();
  REQUIRE(three.stream);
  in.say(*three.stream, "x");
  CHECK(in.hear(*three.stream).empty());
  CHECK(in.ended == errc::stream_reset);
  REQUIRE_FALSE(in.say(*two.stream, "x"));
  CHECK(in.hear(*two.stream, 1) == "x");
  CHECK(in.visit("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").empty());
  CHECK(in.server->statistics().refused_by_limits >= 1);

  in.server->use(in.direct(false));
  one.stream.reset();
  in.run_until([&] { return in.server->statistics().streams == 1; });
  auto forbidden = in.dial();
  REQUIRE(forbidden.stream);
  CHECK(in.hear(*forbidden.stream).empty());
  CHECK(in.reports.back().error == proxy::errc::not_allowed);
}

TEST_CASE(
    "tunnel server: streams tell what they have moved while they go on and when they are over",
    "[proxy][tunnel]") {
  const auto mode = GENERATE(tunnel_mode::yamux, tunnel_mode::simple);
  tunnel_world in;
  auto options = in.server_options();
  options.outbound = "direct";
  in.serve(options);
  in.use(in.way_options(mode));
  CHECK(in.server->streams().empty());
  auto one = in.dial();
  REQUIRE_FALSE(in.say(*one.stream, "12345"));
  CHECK(in.hear(*one.stream, 5) == "12345");
  in.server->use(in.direct(), "other");
  const auto told = in.server->streams();
  REQUIRE(told.size() == 1);
  CHECK(told[0].by == (mode == tunnel_mode::yamux ? proxy::tunnel_report::carrier::yamux
                                                  : proxy::tunnel_report::carrier::simple));
  CHECK(told[0].where == in.target.where());
  CHECK(told[0].outbound == "direct");
  CHECK_FALSE(told[0].error);
  CHECK(told[0].moved.forth == 5);
  CHECK(told[0].moved.back == 5);
  CHECK(told[0].connecting);
  auto two = in.dial();
  REQUIRE_FALSE(in.say(*two.stream, "x"));
  CHECK(in.hear(*two.stream, 1) == "x");
  CHECK(in.server->streams().back().outbound == "other");
  two.stream.reset();
  one.stream.reset();
  in.run_until([&] { return in.server->streams().empty(); });
  CHECK(in.reports.size() == 2);
}

TEST_CASE("tunnel server: it drains", "[proxy][tunnel]") {
  for (const auto mode : {tunnel_mode::yamux, tunnel_mode::simple}) {
    tunnel_world in;
    in.serve();
    CHECK_FALSE(drain(in, 10s));
    in.serve();
    in.use(in.way_options(mode));
    {
      auto one = in.dial();
      REQUIRE_FALSE(in.say(*one.stream, "a"));
      CHECK(in.hear(*one.stream, 1) == "a");
      CHECK(drain(in, 30ms) == errc::timed_out);
      in.run_until([&] { return in.server->statistics().streams == 0; });
      CHECK(in.reports.back().error == errc::aborted);
    }
    in.serve();
    in.use(in.way_options(mode));
    auto idle = in.dial();
    REQUIRE_FALSE(in.say(*idle.stream, "the end\n"));
    CHECK(in.hear(*idle.stream) == "the end\n");
    idle.stream.reset();
    CHECK_FALSE(drain(in, 10s));
  }
}

TEST_CASE("tunnel server: options are exchanged without a stream lost", "[proxy][tunnel]") {
  tunnel_world in;
  auto options = in.server_options();
  options.outbound = "direct";
  in.serve(options);
  in.use(in.way_options(tunnel_mode::simple));
  auto one = in.dial();
  REQUIRE_FALSE(in.say(*one.stream, "1"));
  CHECK(in.hear(*one.stream, 1) == "1");

  auto wrong = options;
  wrong.uuid.clear();
  CHECK(in.server->use(wrong) == proxy::errc::authentication_required);
  wrong = options;
  wrong.anytls.emplace();
  CHECK(in.server->use(wrong) == errc::invalid_argument);
  auto two = in.dial();
  CHECK_FALSE(two.error);

  auto other = options;
  other.uuid = "another";
  other.outbound = "not this way";
  other.max_sessions = 3;
  CHECK_FALSE(in.server->use(other));
  CHECK(in.dial().error);
  auto way = in.way_options(tunnel_mode::simple);
  way.uuid = "another";
  in.use(way);
  auto three = in.dial();
  REQUIRE_FALSE(three.error);
  CHECK(in.server->streams().back().outbound == "direct");
  CHECK(in.dial().error);
  CHECK(in.server->statistics().refused_by_limits == 1);
  REQUIRE_FALSE(in.say(*one.stream, "2"));
  CHECK(in.hear(*one.stream, 1) == "2");
}

TEST_CASE("tunnel server: none without a secret", "[proxy][tunnel]") {
  tunnel_world in;
  auto listener =
      transport::tcp_listener::listen(in.executor(), transport::address::loopback_v4(0));
  const auto made = proxy::tunnel_server::start(std::move(*listener), in.direct(), {});
  CHECK(made.error() == proxy::errc::authentication_required);
}

TEST_CASE("tunnel server: anytls and WebSocket on one port of TLS with ECH, names hidden",
          "[proxy][tunnel][ech]") {
  testkit::need_ech();
  tunnel_world in;
  tests::ech_world dns({&tests::key_in_dns()});
  auto options = in.server_options();
  mux::anytls_options anytls;
  const std::array<mux::core::anytls_user, 1> users{{{"alice", "open sesame"}}};
  anytls.session.users = *mux::core::anytls_users::make(users);
  options.anytls = anytls;
  auto listener = std::make_unique<transport::tls_listener>(
      tests::loopback(in.context), tests::ech_server_tls({&tests::key_in_dns()}));
  auto server = proxy::tunnel_server::start(std::move(listener), in.direct(), std::move(options));
  REQUIRE(server);
  in.server = std::move(*server);
  tests::wire_tap wire(in.context, in.server->local_address());

  proxy::ech_dialer_options ech;
  ech.config_list = tests::key_in_dns().config_list;
  ech.tls.server_name = "hidden.test";
  const auto carriers = std::make_shared<proxy::ech_dialer>(
      nullptr, std::make_shared<transport::tcp_dialer>(in.executor()),
      tests::client_tls({"http/1.1"}), ech);
  auto way = in.way_options(tunnel_mode::yamux);
  way.server = transport::target(wire.where());
  in.way = std::make_unique<proxy::tunnel_outbound>(carriers, way);
  const transport::target named("localhost", in.target.where().port());
  auto one = in.dial(named);
  REQUIRE_FALSE(one.error);
  REQUIRE_FALSE(in.say(*one.stream, "by websocket\n"));
  CHECK(in.hear(*one.stream, 13) == "by websocket\n");

  mux::anytls_options client;
  client.session.password = *transport::sha256(transport::as_bytes("open sesame"));
  client.await_answer = true;
  const auto dialer =
      std::make_shared<mux::anytls_dialer>(carriers, transport::target(wire.where()), client);
  tunnel_world::dialled two;
  testkit::run_awaitable(in.context,
                         [](transport::stream_dialer& by, transport::target to,
                            tunnel_world::dialled& result) -> asio::awaitable<void> {
                           auto [error, made] = co_await by.async_dial(to, tests::quietly);
                           result.error = error;
                           result.stream = std::move(made);
                         }(*dialer, named, two));
  REQUIRE_FALSE(two.error);
  REQUIRE_FALSE(in.say(*two.stream, "by anytls end\n"));
  CHECK(in.hear(*two.stream) == "by anytls end\n");
  two.stream.reset();
  in.run_until([&] { return !in.reports.empty(); });
  CHECK(in.reports[0].by == proxy::tunnel_report::carrier::anytls);
  CHECK(in.reports[0].user == "alice");
  for (const std::string& name : {std::string("hidden"), std::string("localhost"), tests::secret})
    CHECK_FALSE(wire.has_heard(name));
  CHECK(wire.has_heard("public.test"));
  in.server.reset();
  in.way.reset();
  one.stream.reset();
  in.run_until([&] { return in.context.poll() == 0; });
}
