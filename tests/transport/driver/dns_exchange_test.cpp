// SPDX-License-Identifier: Apache-2.0
// What carries questions to one server by streams: HTTP/1.1, lengths before messages, and TLS.
#include "strata/transport/dns_exchange.hpp"

#include <algorithm>
#include <array>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>

#include "dns_tls.hpp"
#include "resolver_world.hpp"
#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/doh.hpp"
#include "strata/transport/stub_resolver.hpp"
#include "testkit/dns_servers.hpp"

using namespace strata;
using namespace std::chrono_literals;
using testkit::message_of;
using testkit::name_server;
using tests::server_tls;
using tests::tls_to_server;
using transport::address;
using transport::errc;
using world = tests::resolver_world;

namespace {

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

/// Says what it was told to, whatever is asked: one connection after the other, by TCP.
class scripted_server {
 public:
  struct step {
    std::size_t waits_for = 1;  ///< Octets from the client, at least.
    std::string says;
    bool is_late = false;  ///< Not before the gate is opened.
  };
  struct script {
    std::vector<step> steps;
    bool ends = true;  ///< Of itself; else when the client does.
  };

  scripted_server(asio::io_context& context, std::vector<script> connections)
      : gate_(context, asio::steady_timer::time_point::max()),
        connections_(std::move(connections)),
        listener_(
            *transport::tcp_listener::listen(context.get_executor(), address::loopback_v4(0))) {
    asio::co_spawn(context, serve(), asio::detached);
  }
  address where() const { return listener_->local_address(); }
  void open_gate() { gate_.expires_at(asio::steady_timer::time_point::min()); }

  std::size_t accepted = 0;
  std::size_t left = 0;  ///< Connections that the client ended.

 private:
  asio::awaitable<void> serve() {
    std::array<std::byte, 4096> memory;
    const auto room = asio::buffer(memory);
    for (const script& each : connections_) {
      auto [error, client] = co_await listener_->async_accept(quietly);
      if (error) co_return;
      ++accepted;
      for (const step& next : each.steps) {
        for (std::size_t had = 0; had < next.waits_for;) {
          const auto [cut, size] = co_await client->async_read_some(room, quietly);
          if (cut) co_return;
          had += size;
        }
        if (next.is_late) co_await gate_.async_wait(quietly);
        const auto out = asio::buffer(next.says);
        const auto [failed, written] = co_await asio::async_write(*client, out, quietly);
        if (failed) co_return;
      }
      for (bool goes_on = !each.ends; goes_on;) {
        const auto [cut, size] = co_await client->async_read_some(room, quietly);
        goes_on = !cut;
        if (cut) ++left;
      }
      co_await client->async_finish(quietly);
    }
  }

  asio::steady_timer gate_;
  std::vector<script> connections_;
  std::unique_ptr<transport::stream_listener> listener_;
};

/// What an exchange brings: the message, or the error in brackets.
std::string carried(world& on, transport::dns_exchange& over, std::size_t query_size = 20) {
  std::optional<std::string> out;
  over.async_exchange(std::vector<std::byte>(query_size), [&](std::error_code error, auto reply) {
    out = error ? '[' + error.message() + ']' : std::string(transport::as_text(reply->message));
  });
  on.run_until([&] { return out.has_value(); });
  return *out;
}

std::string brackets(errc code) { return '[' + message_of(code) + ']'; }

std::string http(const std::string& content, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n" + fields +
         "Content-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content;
}

using scripts = std::vector<scripted_server::script>;

std::unique_ptr<transport::doh_exchange> doh_to(world& on, const scripted_server& server) {
  return std::make_unique<transport::doh_exchange>(
      std::make_shared<transport::tcp_dialer>(on.context.get_executor()),
      transport::doh_options{.server = server.where(), .authority = "server.test"});
}

}  // namespace

TEST_CASE("doh: a connection that is lost under a query", "[transport][dns][doh]") {
  world on;
  SECTION("that others have used: it is asked once more, on a new one") {
    scripted_server server(on.context, scripts{{{{1, http("a")}, {1, ""}}}, {{{1, http("b")}}}});
    const auto exchange = doh_to(on, server);
    CHECK(carried(on, *exchange) == "a");
    CHECK(carried(on, *exchange) == "b");
    CHECK(server.accepted == 2);
  }
  SECTION("not twice") {
    scripted_server server(on.context, scripts{{{{1, http("a")}, {1, ""}}}, {{{1, ""}}}, {}});
    const auto exchange = doh_to(on, server);
    CHECK(carried(on, *exchange) == "a");
    CHECK(carried(on, *exchange) == brackets(errc::truncated));
    CHECK(server.accepted == 2);
  }
  SECTION("nor when it had begun to answer") {
    scripted_server server(on.context,
                           scripts{{{{1, http("a")}, {1, "HTTP/1.1 200"}}}, {{{1, http("b")}}}});
    const auto exchange = doh_to(on, server);
    CHECK(carried(on, *exchange) == "a");
    CHECK(carried(on, *exchange) == brackets(errc::truncated));
    CHECK(server.accepted == 1);
    CHECK(carried(on, *exchange) == "b");
  }
  SECTION("that is new") {
    scripted_server server(on.context, scripts{{{{1, ""}}}, {{{1, http("b")}}}});
    const auto exchange = doh_to(on, server);
    CHECK(carried(on, *exchange) == brackets(errc::truncated));
    CHECK(carried(on, *exchange) == "b");
  }
}

TEST_CASE("doh: a server that says it will close", "[transport][dns][doh]") {
  world on;
  scripted_server server(on.context, scripts{{{{1, http("a", "Connection: close\r\n")}}, false},
                                             {{{1, http("b")}}, false}});
  const auto exchange = doh_to(on, server);
  CHECK(carried(on, *exchange) == "a");
  CHECK(carried(on, *exchange) == "b");
  CHECK(server.left == 1);
}

TEST_CASE("doh: what nobody has asked for answers no later question",
          "[transport][dns][doh][attack][P20]") {
  world on;
  SECTION("together with an answer") {
    scripted_server server(
        on.context, scripts{{{{1, http("a") + http("evil")}}, false}, {{{1, http("b")}}, false}});
    const auto exchange = doh_to(on, server);
    CHECK(carried(on, *exchange) == "a");
    CHECK(carried(on, *exchange) == "b");
    CHECK(server.left == 1);
  }
  SECTION("while nothing is asked") {
    scripted_server server(on.context, scripts{{{{1, http("a")}, {0, http("evil"), true}}, false},
                                               {{{1, http("b")}}, false}});
    const auto exchange = doh_to(on, server);
    CHECK(carried(on, *exchange) == "a");
    server.open_gate();
    on.run_until([&] { return server.left == 1; });
    CHECK(carried(on, *exchange) == "b");
  }
}

TEST_CASE("dns by stream: the length before a message", "[transport][dns]") {
  world on;
  const auto said = [&](std::vector<std::string> pieces, std::size_t query = 20) {
    scripted_server::script all;
    for (std::string& each : pieces)
      all.steps.push_back({all.steps.empty() ? query + 2 : 0, std::move(each)});
    scripted_server server(on.context, {all});
    transport::stream_dns_exchange exchange(
        std::make_shared<transport::tcp_dialer>(on.context.get_executor()), server.where());
    return carried(on, exchange, query);
  };
  using namespace std::string_literals;
  CHECK(said({"\0\3abc"s}) == "abc");
  CHECK(said({"\0"s, "\3"s, "a"s, "bc"s}) == "abc");
  CHECK(said({"\0\3a"s, "bcdef"s}) == "abc");
  CHECK(said({"\0\0"s}).empty());
  CHECK(said({"\1\0"s + std::string(256, 'x')}) == std::string(256, 'x'));
  const std::string largest(transport::limits::max_dns_message, 'x');
  CHECK(said({"\xff\xff"s + largest}) == largest);
  for (const std::string& cut : {""s, "\0"s, "\0\3"s, "\0\3ab"s, "\xff\xff"s + largest.substr(1)})
    CHECK(said({cut}) == brackets(errc::truncated));
  for (const std::size_t size : {largest.size() - 1, largest.size()})
    CHECK(said({"\0\1a"s}, size) == "a");
  transport::stream_dns_exchange exchange(
      std::make_shared<transport::tcp_dialer>(on.context.get_executor()), address::loopback_v4(9));
  CHECK(carried(on, exchange, largest.size() + 1) == brackets(errc::message_too_large));
}

TEST_CASE("dns by stream: each query has a stream of its own", "[transport][dns]") {
  world on;
  using namespace std::string_literals;
  scripted_server server(on.context, scripts{{{{22, "\0\1a"s}}, false}, {{{22, "\0\1b"s}}, false}});
  transport::stream_dns_exchange exchange(
      std::make_shared<transport::tcp_dialer>(on.context.get_executor()), server.where());
  CHECK(carried(on, exchange) == "a");
  CHECK(carried(on, exchange) == "b");
  CHECK(server.accepted == 2);
}

TEST_CASE("dns by stream: as many streams to one server as the limit", "[transport][dns]") {
  for (const int more : {-1, 0, 1}) {
    world on;
    name_server server(on.context);
    server.says = [](const name_server::asked&) { return name_server::messages(); };
    transport::stream_dns_exchange exchange(
        std::make_shared<transport::tcp_dialer>(on.context.get_executor()), server.where());
    const std::size_t count = transport::limits::max_dns_streams + static_cast<std::size_t>(more);
    for (std::size_t i = 0; i < count; ++i) {
      auto query =
          transport::encode_dns_query({transport::dns_name::parse("example.org").value()}, {});
      exchange.async_exchange(std::move(query), [](std::error_code, auto) {});
    }
    const std::size_t expected = std::min(count, transport::limits::max_dns_streams);
    on.run_until([&] { return server.log.size() >= expected; });
    on.context.poll();
    CHECK(server.log.size() == expected);
  }
}

namespace {

/// DNS over TLS (RFC 7858), and a client that looks for this name in the certificate.
struct dot_world : world {
  explicit dot_world(const std::string& name = "server.test")
      : server(context, std::make_unique<transport::tls_listener>(
                            *transport::tcp_listener::listen(context.get_executor(),
                                                             address::loopback_v4(0)),
                            server_tls("dot"))) {
    server.zone.ip("example.org", "192.0.2.1").soa(".", 60);
    const std::vector<std::shared_ptr<transport::dns_exchange>> servers{
        std::make_shared<transport::stream_dns_exchange>(tls_to_server(context, "dot", name),
                                                         server.where(), true)};
    names = std::make_unique<transport::stub_resolver>(
        servers, transport::stub_resolver_options{.shuffle_case = true});
  }

  name_server server;
  std::unique_ptr<transport::stub_resolver> names;
};

}  // namespace

TEST_CASE("dot: a resolver over TLS, whose queries are padded and all alike",
          "[transport][dns][dot]") {
  dot_world on;
  on.server.zone.https("example.org", {.priority = 1, .ech = {std::byte{1}}});
  CHECK(on.ask(*on.names, "example.org", {}) == "192.0.2.1; 1 example.org. ech=AQ==");
  CHECK(on.ask(*on.names, "none.example") == message_of(errc::name_not_found));
  REQUIRE(on.server.log.size() == 5);
  for (const auto& each : on.server.log) {
    CHECK(each.by_stream);
    CHECK(each.query.header.id == 0);
    CHECK(encode_dns_message(each.query)->size() == 128);
    const auto& name = each.query.question->name;
    CHECK(name.is_exactly(name.folded()));
  }
}

TEST_CASE("dot: an answer in records of any size", "[transport][dns][dot]") {
  dot_world on;
  for (const std::size_t piece : {1u, 2u, 3u, 40u}) {
    on.server.piece = piece;
    on.names->clear_cache();
    CHECK(on.ask(*on.names, "example.org") == "192.0.2.1");
  }
}

TEST_CASE("dot: a server that cannot prove its name is asked nothing",
          "[transport][dns][dot][attack][P20]") {
  dot_world on("other.test");
  CHECK(on.ask(*on.names, "example.org") == message_of(errc::certificate_rejected));
  CHECK(on.server.log.empty());
}
