// SPDX-License-Identifier: Apache-2.0
#include "proxy/driver/proxy_world.hpp"

using namespace strata;
using namespace strata::proxy;
using namespace strata::proxy::testing;

namespace {

/// SOCKS5 without authentication, CONNECT to an IPv4 address.
std::string socks5_connect(const transport::target& where) {
  std::string made("\5\1\0\5\1\0\1", 7);
  for (const std::byte each : where.ip().octets()) made += static_cast<char>(each);
  made += static_cast<char>(where.port() >> 8);
  made += static_cast<char>(where.port() & 255);
  return made;
}

}  // namespace

TEST_CASE("bytes that a client sends right behind its request arrive") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto socks = co_await in.raw();
    co_await send(*socks, socks5_connect(in.to_echo()) + "early");
    const std::string answer = co_await receive(*socks, 2 + 10 + 5);
    CHECK(answer.substr(0, 4) == std::string("\5\0\5\0", 4));
    CHECK(answer.substr(12) == "early");

    const auto http = co_await in.raw();
    const std::string where = in.to_echo().string();
    co_await send(*http, "CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n\r\nearly");
    std::string head;
    while (!head.ends_with("\r\n\r\n")) head += co_await receive(*http, 1);
    CHECK(head.starts_with("HTTP/1.1 200 "));
    const std::string early = co_await receive(*http, 5);
    CHECK(early == "early");
  }(world));
}

TEST_CASE("success is told when the target is connected, and a failure in the protocol's words") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const transport::target nobody = in.to_nobody();
    const auto socks = co_await in.raw();
    co_await send(*socks, socks5_connect(nobody));
    const std::string answer = co_await receive_all(*socks);
    REQUIRE(answer.size() >= 4);
    CHECK(answer.substr(0, 4) == std::string("\5\0\5\5", 4));  // connection refused

    const auto http = co_await in.raw();
    co_await send(*http, "CONNECT " + nobody.string() + " HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string refused = co_await receive_all(*http);
    CHECK(refused.starts_with("HTTP/1.1 502 "));

    const auto old = co_await in.raw();
    std::string asked("\4\1", 2);
    asked += static_cast<char>(nobody.port() >> 8);
    asked += static_cast<char>(nobody.port() & 255);
    asked += std::string("\x7f\0\0\1me\0", 7);
    co_await send(*old, asked);
    const std::string old_answer = co_await receive_all(*old);
    REQUIRE(old_answer.size() == 8);
    CHECK(old_answer[1] == 0x5b);
  }(world));
  REQUIRE(world.reports.size() == 3);
  for (const session_report& each : world.reports) {
    CHECK(each.error == transport::errc::refused);
    CHECK_FALSE(each.connecting);
  }
  CHECK(world.server->statistics().failed == 3);
}

TEST_CASE("the filter is asked about what is dialled, and a rule may forbid more",
          "[attack][P05][proxy]") {
  proxy_world world;
  world.routes->outbounds["direct"] = world.direct({});
  core::rule never;
  never.name = "never";
  never.suffixes = {"forbidden.example"};
  world.routes->table = core::routing_table({never}, "direct");
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const outcome filtered = co_await in.dial(by, in.to_echo());
    CHECK(filtered.error == errc::not_allowed);
    const transport::target name("localhost", in.to_echo().port());
    const outcome by_name = co_await in.dial(by, name);
    CHECK(by_name.error == errc::not_allowed);
    const transport::target forbidden("a.forbidden.example.", 443);
    const outcome by_rule = co_await in.dial(by, forbidden);
    CHECK(by_rule.error == errc::not_allowed);
  }(world));
  CHECK(world.echoed == 0);
  REQUIRE(world.reports.size() == 3);
  CHECK(world.reports[2].rule == "never");
}

TEST_CASE("only who knows a password gets through", "[attack][P01][P11][proxy]") {
  proxy_world world;
  world.options.inbound.users = users({{"ann", "secret"}, {"bob", "other"}});
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    for (const bool http : {false, true}) {
      const auto with = [&](std::optional<core::credentials> who) {
        std::shared_ptr<transport::stream_dialer> made;
        if (http)
          made = std::make_shared<http_outbound>(in.tcp(), in.through(std::move(who)));
        else
          made = std::make_shared<socks_outbound>(in.tcp(), in.through(std::move(who)));
        return made;
      };
      const core::credentials right{"ann", "secret"}, wrong{"ann", "other"}, stranger{"eve", "x"};
      const outcome good = co_await in.dial(with(right), in.to_echo());
      CHECK_FALSE(good.error);
      if (good.stream) co_await in.check_echo(*good.stream);
      const outcome bad = co_await in.dial(with(wrong), in.to_echo());
      CHECK(bad.error == errc::authentication_failed);
      const outcome unknown = co_await in.dial(with(stranger), in.to_echo());
      CHECK(unknown.error == errc::authentication_failed);
      const outcome none = co_await in.dial(with(std::nullopt), in.to_echo());
      CHECK(none.error == errc::authentication_required);
    }
  }(world));
  CHECK(world.echoed == 2);
  CHECK(world.server->statistics().authentication_failures >= 4);
}

TEST_CASE("the answer to a wrong password waits", "[attack][P11][proxy]") {
  proxy_world world;
  world.options.inbound.users = users({{"ann", "secret"}});
  world.options.refusal_delay = 100ms;
  world.start();
  const auto begin = std::chrono::steady_clock::now();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const core::credentials wrong{"ann", "x"};
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through(wrong));
    const outcome bad = co_await in.dial(by, in.to_echo());
    CHECK(bad.error == errc::authentication_failed);
  }(world));
  CHECK(std::chrono::steady_clock::now() - begin >= 100ms);
}

TEST_CASE("without users nobody but this host may come", "[attack][P04][proxy]") {
  proxy_world world;
  const auto anywhere = transport::address::any_v4(0);
  const auto listen = [&] {
    return transport::tcp_listener::listen(world.context.get_executor(), anywhere).value();
  };
  const auto refused = proxy_server::start(listen(), world.routes, world.options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == errc::authentication_required);
  auto open = world.options;
  open.open_to_strangers = true;
  CHECK(proxy_server::start(listen(), world.routes, open));
  auto closed = world.options;
  closed.inbound.users = users({{"ann", "secret"}});
  CHECK(proxy_server::start(listen(), world.routes, closed));
}

TEST_CASE("who does not finish its request in time is ended, and others are served",
          "[attack][P13][proxy]") {
  proxy_world world;
  world.options.opening_timeout = 100ms;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto silent = co_await in.raw();
    const auto slow = co_await in.raw();
    co_await send(*slow, "\5");
    const auto http = co_await in.raw();
    co_await send(*http, "CONNECT a:1 HTTP/1.1\r\n");
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const outcome served = co_await in.dial(by, in.to_echo());
    CHECK_FALSE(served.error);
    for (stream* each : {silent.get(), slow.get(), http.get()}) {
      const std::string nothing = co_await receive_all(*each);
      CHECK(nothing.find("200") == nothing.npos);
    }
    co_await in.check_echo(*served.stream);
  }(world));
}

TEST_CASE("a source has no more connections than allowed, and gets them back") {
  proxy_world world;
  world.options.max_per_source = 2;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    outcome one = co_await in.dial(by, in.to_echo());
    const outcome two = co_await in.dial(by, in.to_echo());
    CHECK_FALSE(one.error);
    CHECK_FALSE(two.error);
    const outcome three = co_await in.dial(by, in.to_echo());
    CHECK(three.error);
    one.stream.reset();
    co_await in.until([&] { return in.server->statistics().active == 1; });
    const outcome four = co_await in.dial(by, in.to_echo());
    CHECK_FALSE(four.error);
  }(world));
  CHECK(world.server->statistics().refused_by_limits == 1);
}

TEST_CASE("a user has no more sessions than allowed") {
  proxy_world world;
  world.options.inbound.users = users({{"ann", "a"}, {"bob", "b"}});
  world.options.max_per_user = 1;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const core::credentials ann{"ann", "a"}, bob{"bob", "b"};
    const auto as_ann = std::make_shared<socks_outbound>(in.tcp(), in.through(ann));
    const auto as_bob = std::make_shared<http_outbound>(in.tcp(), in.through(bob));
    outcome one = co_await in.dial(as_ann, in.to_echo());
    CHECK_FALSE(one.error);
    const outcome two = co_await in.dial(as_ann, in.to_echo());
    CHECK(two.error);
    const outcome other = co_await in.dial(as_bob, in.to_echo());
    CHECK_FALSE(other.error);
    one.stream.reset();
    co_await in.until([&] { return in.server->statistics().active == 1; });
    const outcome again = co_await in.dial(as_ann, in.to_echo());
    CHECK_FALSE(again.error);
  }(world));
}

TEST_CASE("draining waits for sessions, not for new ones") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    outcome held = co_await in.dial(by, in.to_echo());
    std::optional<std::error_code> drained;
    in.server->async_drain(10s, [&](std::error_code error) { drained = error; });
    co_await in.check_echo(*held.stream);
    CHECK_FALSE(drained);
    const outcome late = co_await in.dial(by, in.to_echo());
    CHECK(late.error);
    const auto [finished] = co_await held.stream->async_finish(quietly);
    CHECK_FALSE(finished);
    const std::string rest = co_await receive_all(*held.stream);
    CHECK(rest.empty());
    co_await in.until([&] { return drained.has_value(); });
    CHECK_FALSE(*drained);
  }(world));
}

TEST_CASE("draining ends what is left at its deadline") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const outcome held = co_await in.dial(by, in.to_echo());
    std::optional<std::error_code> drained;
    in.server->async_drain(50ms, [&](std::error_code error) { drained = error; });
    co_await in.until([&] { return drained.has_value(); });
    CHECK(*drained == transport::errc::timed_out);
    std::array<char, 8> memory;
    const auto room = asio::buffer(memory);
    const auto [error, size] = co_await held.stream->async_read_some(room, quietly);
    CHECK(error);
  }(world));
}

TEST_CASE("what a session has moved is told while it goes on and when it is over") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    outcome made = co_await in.dial(by, in.to_echo());
    co_await in.check_echo(*made.stream);
    const auto now = in.server->sessions();
    REQUIRE(now.size() == 1);
    CHECK(now[0].moved.forth == 5);
    CHECK(now[0].moved.back == 5);
    CHECK(now[0].outbound == "direct");
    CHECK(now[0].request.where == in.to_echo());
    REQUIRE(now[0].connecting);
    CHECK(*now[0].connecting > 0s);
    CHECK(*now[0].connecting <= now[0].lasted);
    made.stream.reset();
    co_await in.until([&] { return !in.reports.empty(); });
    CHECK(in.reports[0].connecting == now[0].connecting);
    CHECK(in.reports[0].moved.forth == 5);
    CHECK(in.server->sessions().empty());
  }(world));
}

TEST_CASE("a server that goes takes its sessions along") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const outcome held = co_await in.dial(by, in.to_echo());
    in.server.reset();
    const std::string rest = co_await receive_all(*held.stream);
    CHECK(rest.empty());
  }(world));
}

TEST_CASE("plain HTTP is asked for in the client's place") {
  proxy_world world;
  const auto origin = world.listen();
  world.start();
  asio::co_spawn(
      world.context,
      [](transport::tcp_listener& at) -> asio::awaitable<void> {
        for (;;) {
          auto [error, client] = co_await at.async_accept(quietly);
          if (error) co_return;
          std::string head;
          while (!head.ends_with("\r\n\r\n")) head += co_await receive(*client, 1);
          CHECK(head.starts_with("GET /page?x=1 HTTP/1.1\r\n"));
          CHECK(head.find("Proxy-") == head.npos);
          const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
          co_await send(*client, answer);
          co_await client->async_finish(quietly);
        }
      }(*origin),
      asio::detached);
  world.run([](proxy_world& in, std::string where) -> asio::awaitable<void> {
    const auto client = co_await in.raw();
    co_await send(*client, "GET http://" + where + "/page?x=1 HTTP/1.1\r\nHost: " + where +
                               "\r\nProxy-Connection: keep-alive\r\n\r\n");
    std::string head;
    while (!head.ends_with("\r\n\r\n")) head += co_await receive(*client, 1);
    CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
    const std::string content = co_await receive(*client, 5);
    CHECK(content == "hello");
    // Another request on the same connection, to an origin that is not there.
    const std::string nobody = in.to_nobody().string();
    co_await send(*client,
                  "GET http://" + nobody + "/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string refused = co_await receive_all(*client);
    CHECK(refused.starts_with("HTTP/1.1 502 "));
    co_await in.until([&] { return in.server->statistics().active == 0; });
  }(world, origin->local_address().string()));
  REQUIRE(world.reports.size() == 2);
  CHECK_FALSE(world.reports[0].error);
  CHECK(world.reports[0].connecting);
  CHECK(world.reports[1].error == transport::errc::refused);
  CHECK_FALSE(world.reports[1].connecting);
}

namespace {

/// Answers each request on a connection with its number.
asio::awaitable<void> count_requests(stream_pointer client) {
  for (char number = '1';; ++number) {
    std::string head, octet = "-";
    while (!octet.empty() && !head.ends_with("\r\n\r\n")) {
      octet = co_await receive(*client, 1);
      head += octet;
    }
    if (octet.empty()) co_return;
    const std::string answer = std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n") + number;
    co_await send(*client, answer);
  }
}

asio::awaitable<void> accept_all(transport::tcp_listener& at) {
  for (;;) {
    auto [error, client] = co_await at.async_accept(quietly);
    if (error) co_return;
    const auto executor = client->get_executor();
    asio::co_spawn(executor, count_requests(std::move(client)), asio::detached);
  }
}

std::string request_to(const std::string& where) {
  return "GET http://" + where + "/ HTTP/1.1\r\nHost: " + where + "\r\n\r\n";
}

asio::awaitable<void> skip_answer(stream& from, char number) {
  std::string answer;
  std::string octet = "-";
  while (!octet.empty() && !answer.ends_with(std::string("\r\n\r\n") + number)) {
    octet = co_await receive(from, 1);
    answer += octet;
  }
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
}

}  // namespace

TEST_CASE("a later request of plain HTTP has as long for its head as the first",
          "[attack][P13][proxy]") {
  for (const bool is_pipelined : {false, true}) {
    proxy_world world;
    world.options.opening_timeout = 100ms;
    const auto origin = world.listen();
    world.start();
    asio::co_spawn(world.context, accept_all(*origin), asio::detached);
    world.run([](proxy_world& in, std::string where, bool at_once) -> asio::awaitable<void> {
      const auto patient = co_await in.raw();
      co_await send(*patient, request_to(where));
      co_await skip_answer(*patient, '1');
      const auto client = co_await in.raw();
      co_await send(*client, request_to(where) + (at_once ? "G" : ""));
      co_await skip_answer(*client, '1');
      if (!at_once) co_await send(*client, "G");
      const std::string nothing = co_await receive_all(*client);
      CHECK(nothing.empty());
      co_await in.until([&] { return in.server->statistics().active == 1; });
      // What begins later than that is served: only then its time begins.
      co_await send(*patient, request_to(where));
      co_await skip_answer(*patient, '2');
    }(world, origin->local_address().string(), is_pipelined));
  }
}

TEST_CASE("each request of plain HTTP has its report, and be it right behind another") {
  proxy_world world;
  const auto origin = world.listen();
  world.start();
  asio::co_spawn(world.context, accept_all(*origin), asio::detached);
  world.run([](proxy_world& in, std::string where) -> asio::awaitable<void> {
    const auto client = co_await in.raw();
    co_await send(*client, request_to(where) + request_to(where) + request_to(where));
    for (const char number : {'1', '2', '3'}) co_await skip_answer(*client, number);
    co_await in.until([&] { return in.reports.size() == 3; });
  }(world, origin->local_address().string()));
  for (const auto& each : world.reports) CHECK_FALSE(each.error);
}

TEST_CASE("a client that is slow to read gets all of its answer") {
  proxy_world world;
  const auto origin = world.listen();
  const std::string content(300'000, 'c');
  world.start();
  asio::co_spawn(
      world.context,
      [](transport::tcp_listener& at, const std::string& what) -> asio::awaitable<void> {
        auto [error, client] = co_await at.async_accept(quietly);
        CHECK_FALSE(error);
        std::string head;
        while (!head.ends_with("\r\n\r\n")) head += co_await receive(*client, 1);
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + what;
        co_await send(*client, answer);
        co_await client->async_finish(quietly);
      }(*origin, content),
      asio::detached);
  world.run([](proxy_world& in, std::string where) -> asio::awaitable<void> {
    const auto client = co_await in.raw();
    co_await send(*client, "GET http://" + where + "/ HTTP/1.1\r\nHost: " + where +
                               "\r\nConnection: close\r\n\r\n");
    co_await client->async_finish(quietly);
    co_await in.until([&] { return in.server->statistics().active == 0; });
    const std::string answer = co_await receive_all(*client);
    CHECK(answer.ends_with("cccc"));
    CHECK(answer.size() > 300'000);
  }(world, origin->local_address().string()));
}

TEST_CASE("a page of the proxy itself") {
  proxy_world world;
  world.options.inbound.pages = true;
  world.options.page = [](std::string_view path) -> std::optional<proxy_page> {
    if (path != "/proxy.pac") return std::nullopt;
    return proxy_page{"application/x-ns-proxy-autoconfig", "function FindProxyForURL() {}"};
  };
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto client = co_await in.raw();
    co_await send(*client, "GET /proxy.pac HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = co_await receive_all(*client);
    CHECK(answer.starts_with("HTTP/1.1 200 "));
    CHECK(answer.ends_with("\r\n\r\nfunction FindProxyForURL() {}"));
    const auto other = co_await in.raw();
    co_await send(*other, "GET /else HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string missing = co_await receive_all(*other);
    CHECK(missing.starts_with("HTTP/1.1 404 "));
  }(world));
}
