// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/doh.hpp"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "dns_tls.hpp"
#include "resolver_world.hpp"
#include "strata/transport/stub_resolver.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"
#include "testkit/certificates.hpp"
#include "testkit/dns_servers.hpp"

using namespace strata;
using namespace std::chrono_literals;
using testkit::doh_visit;
using testkit::message_of;
using testkit::name_server;
using tests::server_tls;
using tests::tls_to_server;
using transport::address;
using transport::errc;
using world = tests::resolver_world;

namespace {

struct doh_world : world {
  explicit doh_world(transport::doh_method method = transport::doh_method::post)
      : server(context, std::make_unique<transport::tls_listener>(
                            *transport::tcp_listener::listen(context.get_executor(),
                                                             address::loopback_v4(0)),
                            server_tls())) {
    server.zone.ip("example.org", "192.0.2.1").soa(".", 60);
    exchange = std::make_shared<transport::doh_exchange>(
        tls_to_server(context),
        transport::doh_options{
            .server = server.where(), .authority = "server.test", .method = method});
    names = std::make_unique<transport::stub_resolver>(
        std::vector<std::shared_ptr<transport::dns_exchange>>{exchange});
  }
  std::string ask_for(const std::string& host) {
    return ask(*names, host, {.ipv6 = false, .https = false});
  }

  testkit::doh_server server;
  std::shared_ptr<transport::doh_exchange> exchange;
  std::unique_ptr<transport::stub_resolver> names;
};

}  // namespace

TEST_CASE("doh: over HTTP/1.1 and TLS, by POST and by GET", "[transport][dns][doh]") {
  for (const auto method : {transport::doh_method::post, transport::doh_method::get}) {
    doh_world on(method);
    on.server.zone.https("example.org", {.priority = 1, .ech = {std::byte{1}}});
    CHECK(on.ask(*on.names, "example.org", {}) == "192.0.2.1; 1 example.org. ech=AQ==");
    REQUIRE(on.server.log.size() == 3);
    for (const doh_visit& each : on.server.log) {
      CHECK(each.accept == "application/dns-message");
      const auto query = transport::decode_dns_message(each.query).value();
      CHECK(query.header.id == 0);
      CHECK(each.query.size() == 128);
      const bool posts = method == transport::doh_method::post;
      CHECK(each.method == (posts ? "POST" : "GET"));
      CHECK(each.path.starts_with(posts ? "/dns-query" : "/dns-query?dns=AAABAAAB"));
    }
  }
}

TEST_CASE("doh: connections are used again, and made anew when the server closed them",
          "[transport][dns][doh]") {
  doh_world on;
  for (int i = 0; i < 5; ++i) {
    on.server.zone.ip("host" + std::to_string(i), "192.0.2.1");
    CHECK(on.ask_for("host" + std::to_string(i)) == "192.0.2.1");
  }
  CHECK(on.server.connections == 1);
  on.server.answers_per_connection = 1;
  for (int i = 0; i < 5; ++i) {
    on.names->clear_cache();
    CHECK(on.ask_for("host" + std::to_string(i)) == "192.0.2.1");
  }
  CHECK(on.server.log.size() == 10);
  // The first of them went over the connection that was there.
  CHECK(on.server.connections == 5);
}

TEST_CASE("doh: many questions over a few connections", "[transport][dns][doh]") {
  doh_world on;
  std::size_t answered = 0;
  const transport::resolve_options wanted{.ipv6 = false, .https = false};
  for (int i = 0; i < 60; ++i) {
    const std::string host = "host" + std::to_string(i);
    on.server.zone.ip(host, "192.0.2.1");
    on.names->async_resolve(host, wanted, [&](std::error_code error, auto) {
      CHECK_FALSE(error);
      ++answered;
    });
  }
  on.run_until([&] { return answered == 60; });
  CHECK(on.server.connections <= transport::limits::max_dns_streams);
  CHECK(on.server.log.size() == 60);
}

TEST_CASE("doh: as many exchanges in line as the limit", "[transport][dns][doh]") {
  doh_world on;
  std::vector<std::error_code> ends;
  const auto record = [&](std::error_code error, auto) { ends.push_back(error); };
  constexpr std::size_t room =
      transport::limits::max_dns_streams + transport::limits::max_dns_exchanges_in_line;
  for (std::size_t i = 0; i < room; ++i) on.exchange->async_exchange({}, record);
  on.exchange->async_exchange({}, record);
  on.context.run_one();
  REQUIRE(ends.size() <= 1);
  on.run_until([&] { return !ends.empty(); });
  CHECK(ends[0] == errc::limit_exceeded);
  on.names.reset();
  on.exchange.reset();
  on.run_until([&] { return ends.size() == room + 1; });
  CHECK(std::ranges::count(ends, make_error_code(errc::limit_exceeded)) == 1);
}

TEST_CASE("doh: the age of an answer counts", "[transport][dns][doh][attack][P19]") {
  doh_world on;
  const auto ttl_with = [&](const std::string& age, std::uint32_t ttl) {
    on.names->clear_cache();
    on.server.says = [&, age, ttl](const doh_visit& visit) {
      const auto query = transport::decode_dns_message(visit.query).value();
      auto response = on.server.zone.answer(query);
      for (auto& each : response.answers) each.ttl = ttl;
      return testkit::doh_reply{.age = age, .body = encode_dns_message(response).value()};
    };
    std::optional<std::chrono::seconds> out;
    const transport::resolve_options wanted{.ipv6 = false, .https = false};
    on.names->async_resolve("example.org", wanted, [&](std::error_code error, auto found) {
      CHECK_FALSE(error);
      out = found->ttl;
    });
    on.run_until([&] { return out.has_value(); });
    return *out;
  };
  CHECK(ttl_with("", 300) == 300s);
  CHECK(ttl_with("100", 300) == 200s);
  CHECK(ttl_with("300", 300) == 0s);
  CHECK(ttl_with("99999999999999999999", 300) == 0s);
  CHECK(ttl_with("-1", 300) == 300s);
  CHECK(ttl_with("x", 300) == 300s);
  CHECK(ttl_with("", 0) == 0s);
  CHECK(ttl_with("", 0x80000000u) == 0s);
  CHECK(ttl_with("", 0x7fffffffu) == std::chrono::seconds(0x7fffffff));
}

TEST_CASE("doh: replies that are none", "[transport][dns][doh][attack][P19]") {
  doh_world on;
  const auto said = [&](testkit::doh_reply reply) {
    on.server.says = [&on, reply](const doh_visit& visit) {
      auto out = reply;
      if (out.body.empty()) out.body = testkit::answer_doh(on.server.zone, visit).body;
      return out;
    };
    const std::string out = on.ask_for("example.org");
    on.names->clear_cache();
    return out;
  };
  const std::string failed = message_of(errc::name_server_failed);
  CHECK(said({}) == "192.0.2.1");
  CHECK(said({.content_type = "Application/DNS-Message; charset=x"}) == "192.0.2.1");
  for (const unsigned status : {201u, 204u, 301u, 302u, 307u, 400u, 415u, 429u, 500u, 503u})
    CHECK(said({.status = status}) == failed);
  for (const char* type : {"text/html", "application/dns-messages", "application/dns-json", ""})
    CHECK(said({.content_type = type}) == message_of(errc::protocol_error));
  // 64 KiB and more, and what is no DNS message.
  CHECK(said({.body = std::vector<std::byte>(65'535)}) == failed);
  CHECK(said({.body = std::vector<std::byte>(65'536)}) == message_of(errc::message_too_large));
  CHECK(said({.body = std::vector<std::byte>(65'537)}) == message_of(errc::message_too_large));
  on.server.chunked = true;
  CHECK(said({}) == "192.0.2.1");
  CHECK(said({.body = std::vector<std::byte>(65'535)}) == failed);
  CHECK(said({.body = std::vector<std::byte>(65'536)}) == message_of(errc::message_too_large));
}

TEST_CASE("doh: a redirection to where nothing is encrypted is not followed",
          "[transport][dns][doh][attack][P19]") {
  doh_world on;
  name_server plain(on.context);
  on.server.says_raw = [&](const doh_visit&) {
    return "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://" + plain.where().string() +
           "/dns-query\r\nContent-Length: 0\r\n\r\n";
  };
  CHECK(on.ask_for("example.org") == message_of(errc::name_server_failed));
  CHECK(plain.log.empty());
}

TEST_CASE("doh: what is cut short, comes in excess, or is not HTTP",
          "[transport][dns][doh][attack][P19]") {
  doh_world on;
  const auto raw = [&](const std::string& front, bool honest, const std::string& back = "") {
    on.server.says_raw = [&, front, honest, back](const doh_visit& visit) {
      const auto body = testkit::answer_doh(on.server.zone, visit).body;
      return front + (honest ? std::string(transport::as_text(body)) : "") + back;
    };
    on.names->clear_cache();
    return on.ask_for("example.org");
  };
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n";
  CHECK(raw(head + "Content-Length: 56\r\n\r\n", true) == "192.0.2.1");
  CHECK(raw(head + "\r\n", true) == "192.0.2.1");
  CHECK(raw("HTTP/1.1 103 Early Hints\r\n\r\n" + head + "\r\n", true) == "192.0.2.1");
  // Two answers to one question: the second is nobody's.
  CHECK(raw(head + "Content-Length: 56\r\n\r\n", true, head + "Content-Length: 56\r\n\r\n") ==
        "192.0.2.1");
  CHECK(raw(head + "Content-Length: 57\r\n\r\n", true) == message_of(errc::truncated));
  CHECK(raw(head, false) == message_of(errc::truncated));
  CHECK(raw("SSH-2.0-x\r\n", false) == message_of(errc::malformed));
  CHECK(raw(head + "Content-Length: 56\r\nContent-Length: 55\r\n\r\n", true) ==
        message_of(errc::malformed));
  std::string interim;
  for (int i = 0; i < 9; ++i) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
  CHECK(raw(interim + head + "\r\n", true) == message_of(errc::limit_exceeded));
}

TEST_CASE("doh: a certificate of somebody else", "[transport][dns][doh]") {
  doh_world on;
  transport::tls_client_options options;
  options.system_roots = false;
  options.roots = {testkit::certificate_authority().root()};
  auto dialer = std::make_shared<transport::tls_dialer>(
      std::make_shared<transport::tcp_dialer>(on.context.get_executor()),
      transport::make_tls_client_context(options).value());
  auto exchange = std::make_shared<transport::doh_exchange>(
      dialer, transport::doh_options{.server = on.server.where(), .authority = "server.test"});
  transport::stub_resolver names({exchange});
  CHECK(on.ask(names, "example.org") == message_of(errc::certificate_rejected));
  CHECK(on.server.log.empty());
}

TEST_CASE("doh: nothing is asked of anybody else, whatever fails",
          "[transport][dns][doh][attack][P07][P19]") {
  // A dialer that is only ever given addresses needs no name server of its own.
  class watching final : public transport::stream_dialer {
   public:
    explicit watching(std::shared_ptr<transport::stream_dialer> below) : below_(std::move(below)) {}
    std::vector<transport::target> dialled;

   private:
    asio::any_io_executor do_executor() noexcept override { return below_->get_executor(); }
    void do_dial(const transport::target& where,
                 transport::completion<transport::stream_signature> waiting) override {
      dialled.push_back(where);
      below_->async_dial(where, std::move(waiting.handler));
    }
    std::shared_ptr<transport::stream_dialer> below_;
  };
  doh_world on;
  const auto dialer = std::make_shared<watching>(tls_to_server(on.context));
  const auto exchange = std::make_shared<transport::doh_exchange>(
      dialer, transport::doh_options{.server = on.server.where(), .authority = "server.test"});
  transport::stub_resolver names({exchange});
  CHECK(on.ask(names, "example.org") == "192.0.2.1");
  CHECK(on.ask(names, "server.test") == message_of(errc::name_not_found));
  on.server.says = [](const doh_visit&) { return testkit::doh_reply{.status = 500}; };
  CHECK(on.ask(names, "other.example") == message_of(errc::name_server_failed));
  REQUIRE_FALSE(dialer->dialled.empty());
  for (const auto& each : dialer->dialled) {
    CHECK_FALSE(each.is_name());
    CHECK(each == transport::target(on.server.where()));
  }
}

TEST_CASE("doh: a request that cannot be written", "[transport][dns][doh]") {
  doh_world on;
  auto exchange = std::make_shared<transport::doh_exchange>(
      tls_to_server(on.context),
      transport::doh_options{.server = on.server.where(), .authority = "a b\r\nX: y"});
  transport::stub_resolver names({exchange});
  CHECK(on.ask(names, "example.org") == message_of(errc::invalid_argument));
  CHECK(on.server.log.empty());
}
