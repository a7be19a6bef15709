// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <catch2/catch_test_macros.hpp>
#include <list>
#include <set>
#include <string>

#include "resolver_world.hpp"
#include "strata/transport/resolving_dialer.hpp"
#include "strata/transport/stub_resolver.hpp"
#include "strata/transport/udp_datagram_socket.hpp"
#include "testkit/dns_servers.hpp"

using namespace strata;
using namespace std::chrono_literals;
using testkit::message_of;
using testkit::name_server;
using transport::address;
using transport::errc;
using world = tests::resolver_world;

TEST_CASE("resolver: over UDP, each query from a port of its own", "[transport][dns]") {
  world on;
  name_server server(on.context);
  server.zone.ip("example.org", "192.0.2.1").ip("example.org", "2001:db8::1").soa(".", 60);
  server.zone.https("example.org", {.priority = 1, .alpn = {"h3"}, .ech = {std::byte{1}}});
  transport::stub_resolver names(on.context.get_executor(), {server.where()});
  CHECK(on.ask(names, "example.org", {}) ==
        "2001:db8::1 192.0.2.1; 1 example.org. alpn=h3 ech=AQ==");
  REQUIRE(server.log.size() == 3);
  std::set<std::uint16_t> ports;
  for (const auto& each : server.log) ports.insert(each.from.port());
  CHECK(ports.size() == 3);
  // From memory, then not any more.
  CHECK(on.ask(names, "EXAMPLE.org.", {}) ==
        "2001:db8::1 192.0.2.1; 1 example.org. alpn=h3 ech=AQ==");
  CHECK(server.log.size() == 3);
  names.clear_cache();
  on.ask(names, "example.org");
  CHECK(server.log.size() == 5);
  CHECK(on.ask(names, "none.example.org") == message_of(errc::name_not_found));
}

TEST_CASE("resolver: literals and what is no name are not asked about", "[transport][dns]") {
  world on;
  name_server server(on.context);
  transport::stub_resolver names(on.context.get_executor(), {server.where()});
  CHECK(on.ask(names, "192.0.2.9") == "192.0.2.9");
  CHECK(on.ask(names, "2001:db8::9") == "2001:db8::9");
  CHECK(on.ask(names, "localhost") == "::1 127.0.0.1");
  for (const char* host : {"", "a..b", "127.1", "a b", "x.onion"})
    CHECK(on.ask(names, host) == message_of(errc::name_not_found));
  CHECK(server.log.empty());
}

TEST_CASE("resolver: what does not fit a datagram comes by TCP", "[transport][dns]") {
  world on;
  name_server server(on.context);
  for (int i = 0; i < 60; ++i) server.zone.ip("many.test", "192.0.2." + std::to_string(i));
  server.zone.soa(".", 60);
  server.says = [&](const name_server::asked& query) {
    auto response = server.zone.answer(query.query);
    if (!query.by_stream) {
      response.header.truncated = true;
      response.answers.clear();
    }
    return name_server::messages{encode_dns_message(response).value()};
  };
  transport::stub_resolver names(on.context.get_executor(), {server.where()});
  const std::string all = on.ask(names, "many.test", {.ipv6 = false, .https = false});
  CHECK(std::ranges::count(all, ' ') == 59);
  CHECK(server.log.size() == 2);
}

TEST_CASE("resolver: forged datagrams do not reach the application",
          "[transport][dns][attack][P20]") {
  world on;
  name_server server(on.context);
  server.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  server.says = [&](const name_server::asked& query) {
    auto forged = server.zone.answer(query.query);
    forged.header.id ^= 0x5555;
    for (auto& each : forged.answers) each.content = address::loopback_v4(0);
    auto other = server.zone.answer(query.query);
    other.question->name = transport::dns_name::parse("example.com").value();
    return name_server::messages{encode_dns_message(forged).value(),
                                 encode_dns_message(other).value(), std::vector<std::byte>(5),
                                 server.honest(query)};
  };
  transport::stub_resolver names(on.context.get_executor(), {server.where()});
  CHECK(on.ask(names, "example.org", {.ipv6 = false, .https = false}) == "192.0.2.1");
}

TEST_CASE("resolver: a server that is silent is not the last one", "[transport][dns]") {
  world on;
  name_server silent(on.context);
  silent.says = [](const name_server::asked&) { return name_server::messages(); };
  name_server server(on.context);
  server.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  transport::stub_resolver names(on.context.get_executor(), {silent.where(), server.where()},
                                 {.attempt_timeout = 20ms});
  CHECK(on.ask(names, "example.org") == "192.0.2.1");
  transport::stub_resolver alone(on.context.get_executor(), {silent.where()},
                                 {.attempt_timeout = 5ms, .rounds = 2});
  CHECK(on.ask(alone, "example.org") == message_of(errc::timed_out));
  transport::stub_resolver nobody(on.context.get_executor(), {});
  CHECK(on.ask(nobody, "example.org") == message_of(errc::name_server_failed));
}

TEST_CASE("resolver: as many servers and rounds as the limits", "[transport][dns]") {
  world on;
  const auto fails = [](const name_server::asked& query) {
    auto response = query.query;
    response.header.is_response = true;
    response.response_code = transport::dns_response_code::server_failure;
    return name_server::messages{encode_dns_message(response).value()};
  };
  const transport::resolve_options wanted{.ipv6 = false, .https = false};
  constexpr std::size_t most = transport::limits::max_dns_servers;
  std::list<name_server> servers;
  std::vector<address> addresses;
  while (servers.size() <= most) {
    servers.emplace_back(on.context).says = fails;
    addresses.push_back(servers.back().where());
  }
  for (const std::size_t count : {most - 1, most, most + 1}) {
    for (name_server& each : servers) each.log.clear();
    transport::stub_resolver names(
        on.context.get_executor(),
        {addresses.begin(), addresses.begin() + static_cast<long>(count)}, {.rounds = 1});
    CHECK(on.ask(names, "example.org", wanted) == message_of(errc::name_server_failed));
    const auto asked = std::ranges::count_if(
        servers, [](const name_server& each) { return each.log.size() == 1; });
    CHECK(static_cast<std::size_t>(asked) == std::min(count, most));
  }
  constexpr unsigned rounds = transport::limits::max_dns_rounds;
  for (const unsigned count : {0u, 1u, rounds - 1, rounds, rounds + 1}) {
    servers.front().log.clear();
    transport::stub_resolver names(on.context.get_executor(), {addresses.front()},
                                   {.rounds = count});
    CHECK(on.ask(names, "example.org", wanted) == message_of(errc::name_server_failed));
    CHECK(servers.front().log.size() == std::min(count, rounds));
  }
}

TEST_CASE("resolver: a server that says by datagram what it does not say by stream",
          "[transport][dns]") {
  world on;
  name_server half(on.context), whole(on.context);
  whole.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  half.says = [](const name_server::asked& query) {
    if (query.by_stream) return name_server::messages();
    auto response = query.query;
    response.header.is_response = true;
    response.header.truncated = true;
    return name_server::messages{encode_dns_message(response).value()};
  };
  transport::stub_resolver names(on.context.get_executor(), {half.where(), whole.where()},
                                 {.attempt_timeout = 300ms});
  const transport::resolve_options wanted{.ipv6 = false, .https = false};
  CHECK(on.ask(names, "example.org", wanted) == "192.0.2.1");
  REQUIRE(half.log.size() == 2);
  CHECK(half.log[1].by_stream);
  CHECK(whole.log.size() == 1);
}

TEST_CASE("resolver: answers from another port or address are not heard",
          "[transport][dns][attack][P20]") {
  // RFC 5452 section 9.1: an answer comes from where the query went.
  world on;
  name_server server(on.context);
  server.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  auto elsewhere =
      *transport::udp_datagram_socket::open(on.context.get_executor(), address::loopback_v4(0));
  std::vector<std::byte> message;
  bool was_sent = false;
  server.says = [&](const name_server::asked& query) {
    message = server.honest(query);
    elsewhere->async_send_to(query.from, transport::bytes(message),
                             [&](std::error_code error) { was_sent = !error; });
    return name_server::messages();
  };
  transport::stub_resolver names(on.context.get_executor(), {server.where()},
                                 {.attempt_timeout = 200ms, .rounds = 1});
  const transport::resolve_options wanted{.ipv6 = false, .https = false};
  CHECK(on.ask(names, "example.org", wanted) == message_of(errc::timed_out));
  CHECK(was_sent);
}

TEST_CASE("resolver: cancelled, destroyed, and left behind", "[transport][dns]") {
  world on;
  name_server server(on.context);
  server.says = [](const name_server::asked&) { return name_server::messages(); };
  auto names = std::make_unique<transport::stub_resolver>(on.context.get_executor(),
                                                          std::vector{server.where()});
  std::vector<std::error_code> ends;
  const auto record = [&](std::error_code error, auto) { ends.push_back(error); };
  const transport::resolve_options wanted;
  asio::cancellation_signal stop;
  names->async_resolve("a.test", wanted, asio::bind_cancellation_slot(stop.slot(), record));
  on.run_until([&] { return server.log.size() == 3; });
  stop.emit(asio::cancellation_type::terminal);
  CHECK(ends.empty());
  on.run_until([&] { return ends.size() == 1; });
  CHECK(ends[0] == errc::aborted);
  for (int i = 0; i < 100; ++i) names->async_resolve("b.test", wanted, record);
  on.run_until([&] { return server.log.size() >= 30; });
  names.reset();
  on.run_until([&] { return ends.size() == 101; });
  for (const auto& each : ends) CHECK(each == errc::aborted);
  // With the context gone the handlers are destroyed, and the resolver is inert.
  auto context = std::make_unique<asio::io_context>();
  transport::stub_resolver orphan(context->get_executor(), {server.where()});
  const auto alive = std::make_shared<int>();
  orphan.async_resolve("c.test", wanted, [alive](std::error_code, auto) {});
  context->poll();
  context.reset();
  CHECK(alive.use_count() == 1);
  orphan.async_resolve("c.test", wanted, [alive](std::error_code, auto) {});
  CHECK(alive.use_count() == 1);
}

TEST_CASE("resolver: as many hosts at a time as the limits, the rest in line", "[transport][dns]") {
  world on;
  name_server server(on.context);
  server.says = [](const name_server::asked&) { return name_server::messages(); };
  transport::stub_resolver names(on.context.get_executor(), {server.where()});
  constexpr std::size_t room =
      transport::limits::max_dns_lookups + transport::limits::max_dns_lookups_in_line;
  const transport::resolve_options wanted{.ipv6 = false, .https = false};
  std::vector<std::error_code> ends;
  const auto record = [&](std::error_code error, auto) { ends.push_back(error); };
  for (std::size_t i = 1; i < room; ++i) names.async_resolve("a.test", wanted, record);
  on.context.poll();
  CHECK(ends.empty());
  names.async_resolve("a.test", wanted, record);
  on.context.poll();
  CHECK(ends.empty());
  names.async_resolve("a.test", wanted, record);
  on.run_until([&] { return !ends.empty(); });
  CHECK(ends[0] == errc::limit_exceeded);
  on.run_until([&] { return server.log.size() >= transport::limits::max_dns_lookups; });
  on.context.poll();
  CHECK(server.log.size() == transport::limits::max_dns_lookups);
}

TEST_CASE("resolv.conf: the name servers in it", "[transport][dns]") {
  const auto text = [](std::string_view file) {
    std::string out;
    for (const address& each : transport::parse_resolv_conf(file)) out += each.string() + ' ';
    return out;
  };
  CHECK(text("# nameserver 192.0.2.9\nsearch example.org\nnameserver 192.0.2.1\r\n"
             "\tnameserver   2001:db8::1 # here\nnameserver x\nnameserver") ==
        "192.0.2.1:53 [2001:db8::1]:53 ");
  CHECK(text("") == "127.0.0.1:53 ");
  std::string many;
  for (std::size_t i = 1; i <= transport::limits::max_dns_servers + 1; ++i) {
    many += "nameserver 192.0.2.1\n";
    CHECK(transport::parse_resolv_conf(many).size() ==
          std::min(i, transport::limits::max_dns_servers));
  }
  CHECK_FALSE(transport::system_name_servers().empty());
}

TEST_CASE("resolving_dialer: connects to what the resolver says", "[transport][dns]") {
  world on;
  name_server server(on.context);
  server.zone.ip("echo.test", "127.0.0.1").ip("far.test", "192.0.2.1").soa(".", 60);
  auto listener =
      *transport::tcp_listener::listen(on.context.get_executor(), address::loopback_v4(0));
  listener->async_accept([](std::error_code, std::unique_ptr<transport::stream>) {});
  const auto names = std::make_shared<transport::stub_resolver>(on.context.get_executor(),
                                                                std::vector{server.where()});
  const auto dial = [&](transport::resolving_dialer& dialer, transport::target where) {
    std::optional<std::string> out;
    dialer.async_dial(std::move(where), [&](std::error_code error, auto made) {
      out = error ? error.message() : made->remote_address().string();
    });
    on.run_until([&] { return out.has_value(); });
    return *out;
  };
  const std::uint16_t port = listener->local_address().port();
  transport::resolving_dialer dialer(names);
  CHECK(dial(dialer, {"echo.test", port}) == listener->local_address().string());
  CHECK(dial(dialer, {"none.test", port}) == message_of(errc::name_not_found));
  CHECK(dial(dialer, {"", port}) == message_of(errc::invalid_argument));
}

TEST_CASE("resolving_dialer: what was checked is what is dialled",
          "[transport][dns][attack][P06]") {
  world on;
  name_server server(on.context);
  // A public address first, then this machine: whoever asks twice is fooled.
  std::size_t answers = 0;
  server.zone.ip("rebind.test", "192.0.2.1", 0).soa(".", 0);
  server.says = [&](const name_server::asked& query) {
    auto response = server.zone.answer(query.query);
    if (query.query.question->type == transport::dns_type::a && ++answers > 1) {
      for (auto& each : response.answers) each.content = address::loopback_v4(0);
    }
    return name_server::messages{encode_dns_message(response).value()};
  };
  auto listener =
      *transport::tcp_listener::listen(on.context.get_executor(), address::loopback_v4(0));
  bool accepted = false;
  listener->async_accept(
      [&](std::error_code error, std::unique_ptr<transport::stream>) { accepted = !error; });
  const auto names = std::make_shared<transport::stub_resolver>(on.context.get_executor(),
                                                                std::vector{server.where()});
  std::vector<address> checked;
  transport::resolving_dialer_options options;
  options.admits = [&](const address& where) {
    checked.push_back(where);
    return !where.is_loopback();
  };
  transport::resolving_dialer dialer(names, options);
  const std::uint16_t port = listener->local_address().port();
  const auto dial = [&](transport::target where) {
    std::optional<std::error_code> out;
    asio::cancellation_signal stop;
    checked.clear();
    dialer.async_dial(std::move(where),
                      asio::bind_cancellation_slot(
                          stop.slot(), [&](std::error_code error, auto) { out = error; }));
    // The first address leads nowhere: once it has been judged, enough was seen.
    on.run_until([&] { return out.has_value() || !checked.empty(); });
    stop.emit(asio::cancellation_type::terminal);
    on.run_until([&] { return out.has_value(); });
    return *out;
  };
  CHECK(dial({"rebind.test", port}));
  REQUIRE(checked.size() == 1);
  CHECK(checked[0].string() == "192.0.2.1:" + std::to_string(port));
  CHECK(dial({"rebind.test", port}) == errc::refused);
  REQUIRE(checked.size() == 1);
  CHECK(checked[0].is_loopback());
  CHECK(dial(address::loopback_v4(port)) == errc::refused);
  CHECK(dial({"localhost", port}) == errc::refused);
  CHECK_FALSE(accepted);
}

TEST_CASE("resolving_dialer: cancelled and destroyed while the name is looked up",
          "[transport][dns]") {
  world on;
  name_server server(on.context);
  server.says = [](const name_server::asked&) { return name_server::messages(); };
  const auto names = std::make_shared<transport::stub_resolver>(on.context.get_executor(),
                                                                std::vector{server.where()});
  auto dialer = std::make_unique<transport::resolving_dialer>(names);
  std::vector<std::error_code> ends;
  const auto record = [&](std::error_code error, auto) { ends.push_back(error); };
  asio::cancellation_signal stop;
  dialer->async_dial({"a.test", 80}, asio::bind_cancellation_slot(stop.slot(), record));
  dialer->async_dial({"b.test", 80}, record);
  on.run_until([&] { return server.log.size() >= 4; });
  stop.emit(asio::cancellation_type::terminal);
  on.run_until([&] { return ends.size() == 1; });
  dialer.reset();
  on.run_until([&] { return ends.size() == 2; });
  for (const auto& each : ends) CHECK(each == errc::aborted);
}
