// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/doh.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/stub_resolver.hpp"
#include "testkit/dns_servers.hpp"
#include "world.hpp"

using namespace strata;
using namespace std::chrono_literals;
using testkit::doh_reply;
using testkit::doh_visit;
using transport::errc;

namespace {

struct doh_world : tests::world {
  doh_world() {
    zone.ip("example.org", "192.0.2.1").soa(".", 60);
    serve([this](h3::exchange& on) { return answer(on); });
  }

  asio::awaitable<void> answer(h3::exchange& on) {
    doh_visit visit{std::string(on.method()),
                    std::string(on.path()),
                    std::string(on.fields().find("content-type").value_or("")),
                    std::string(on.fields().find("accept").value_or("")),
                    {}};
    const std::string body = co_await tests::read_all(on);
    const auto octets = transport::as_bytes(body);
    visit.query.assign(octets.begin(), octets.end());
    if (visit.method == "GET") visit.query = testkit::query_in_path(visit.path);
    authority = on.authority();
    log.push_back(visit);
    const doh_reply reply = says ? says(visit) : testkit::answer_doh(zone, visit);
    h3::field_section fields;
    fields.add("content-type", reply.content_type);
    if (!reply.age.empty()) fields.add("age", reply.age);
    const asio::const_buffer content = asio::buffer(reply.body);
    co_await on.async_send_headers(reply.status, fields, asio::use_awaitable);
    co_await on.async_write_body(content, true, tests::use_tuple);
  }

  void open(transport::doh_method method = transport::doh_method::post) {
    h3::doh_options options;
    options.server = server.local_address();
    options.server_name = "server.test";
    options.method = method;
    options.connection = client_options;
    exchange = std::make_shared<h3::doh_exchange>(context.get_executor(), options);
    const std::vector<std::shared_ptr<transport::dns_exchange>> servers{exchange};
    names = std::make_unique<transport::stub_resolver>(servers);
  }

  std::string ask(const std::string& host) {
    std::string out;
    run([&]() -> asio::awaitable<void> {
      const transport::resolve_options wanted{.ipv6 = false};
      const auto [error, found] = co_await names->async_resolve(host, wanted, tests::use_tuple);
      if (error) {
        out = error.message();
        co_return;
      }
      for (const auto& each : found->addresses) out += each.ip_string();
      for (const auto& each : found->services) out += "; " + describe(each.record);
    });
    return out;
  }

  testkit::dns_zone zone;
  std::function<doh_reply(const doh_visit&)> says;
  std::vector<doh_visit> log;
  std::string authority;
  std::shared_ptr<h3::doh_exchange> exchange;
  std::unique_ptr<transport::stub_resolver> names;
};

std::string message_of(errc code) { return make_error_code(code).message(); }

}  // namespace

TEST_CASE("h3 doh: a resolver over HTTP/3, by POST and by GET", "[h3][dns][doh]") {
  for (const auto method : {transport::doh_method::post, transport::doh_method::get}) {
    doh_world on;
    on.open(method);
    on.zone.https("example.org", {.priority = 1, .ech = {std::byte{1}}});
    CHECK(on.ask("example.org") == "192.0.2.1; 1 example.org. ech=AQ==");
    CHECK(on.ask("none.example") == message_of(errc::name_not_found));
    CHECK(on.log.size() == 4);
    CHECK(on.server.connection_count() == 1);
    CHECK(on.authority == "server.test:" + std::to_string(on.server.local_address().port()));
    for (const doh_visit& each : on.log) {
      const bool posts = method == transport::doh_method::post;
      CHECK(each.method == (posts ? "POST" : "GET"));
      CHECK(each.content_type == (posts ? "application/dns-message" : ""));
      CHECK(each.accept == "application/dns-message");
      CHECK(each.query.size() == 128);
      CHECK(transport::decode_dns_message(each.query)->header.id == 0);
    }
  }
}

TEST_CASE("h3 doh: replies that are none", "[h3][dns][doh][attack][P19]") {
  doh_world on;
  on.open();
  const auto said = [&](doh_reply reply) {
    on.says = [&on, reply](const doh_visit& visit) {
      auto out = reply;
      if (out.body.empty()) out.body = testkit::answer_doh(on.zone, visit).body;
      return out;
    };
    on.names->clear_cache();
    return on.ask("example.org");
  };
  CHECK(said({}) == "192.0.2.1");
  for (const unsigned status : {201u, 301u, 307u, 400u, 500u})
    CHECK(said({.status = status}) == message_of(errc::name_server_failed));
  CHECK(said({.content_type = "text/html"}) == message_of(errc::protocol_error));
  CHECK(said({.body = std::vector<std::byte>(65'535)}) == message_of(errc::name_server_failed));
  CHECK(said({.body = std::vector<std::byte>(65'536)}) == message_of(errc::message_too_large));
  CHECK(said({}) == "192.0.2.1");
  CHECK(on.server.connection_count() == 1);
}

TEST_CASE("h3 doh: nobody there, and nobody waits any more", "[h3][dns][doh]") {
  doh_world on;
  on.open();
  on.client_options.tls.reset();
  on.open();
  CHECK(on.ask("example.org") == message_of(errc::certificate_rejected));
  on.run([&]() -> asio::awaitable<void> {
    std::vector<std::error_code> ends;
    on.says = [](const doh_visit&) { return doh_reply{}; };
    for (int i = 0; i < 3; ++i) {
      on.exchange->async_exchange(std::vector<std::byte>(12),
                                  [&](std::error_code error, auto) { ends.push_back(error); });
    }
    on.names.reset();
    on.exchange.reset();
    while (ends.size() < 3) co_await asio::post(on.context, asio::use_awaitable);
    for (const auto& each : ends) CHECK(each == errc::aborted);
  });
}

TEST_CASE("h3 doh: as many exchanges as the limit", "[h3][dns][doh]") {
  doh_world on;
  on.open();
  std::vector<std::error_code> ends;
  const auto record = [&](std::error_code error, auto) { ends.push_back(error); };
  for (std::size_t i = 0; i < transport::limits::max_dns_exchanges_in_line; ++i)
    on.exchange->async_exchange({}, record);
  on.exchange->async_exchange({}, record);
  on.context.run_one();
  while (ends.empty()) on.context.run_one();
  CHECK(ends[0] == errc::limit_exceeded);
  CHECK(ends.size() == 1);
}
