// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/doh.hpp"

#include <array>
#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>
#include <catch2/catch_test_macros.hpp>
#include <list>
#include <optional>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/stub_resolver.hpp"
#include "testkit/dns_servers.hpp"
#include "testkit/error_text.hpp"
#include "world.hpp"

using namespace strata;
using namespace std::chrono_literals;
using testkit::doh_reply;
using testkit::doh_visit;
using testkit::message_of;
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
    if (rejects != 0) {
      --rejects;
      co_return on.reset(rejects_with);
    }
    if (held) co_await held->async_wait(tests::use_tuple);
    const doh_reply reply = says ? says(visit) : testkit::answer_doh(zone, visit);
    h3::field_section fields;
    fields.add("content-type", reply.content_type);
    if (!reply.age.empty()) fields.add("age", reply.age);
    const asio::const_buffer content = asio::buffer(reply.body);
    co_await on.async_send_headers(reply.status, fields, asio::use_awaitable);
    co_await on.async_write_body(content, !cuts, tests::use_tuple);
    if (cuts) server.stop();
  }

  void open(transport::doh_method method = transport::doh_method::post) {
    h3::doh_options options;
    options.server = way_there.value_or(server.local_address());
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
  std::optional<asio::steady_timer> held;  ///< Answers wait for it.
  h3::error_code rejects_with = h3::error_code::request_rejected;
  unsigned rejects = 0;  ///< So many requests, untouched.
  bool cuts = false;     ///< The server stops in the middle of an answer.
  std::optional<transport::address> way_there;
  std::string authority;
  std::shared_ptr<h3::doh_exchange> exchange;
  std::unique_ptr<transport::stub_resolver> names;
};

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
  for (const std::size_t size : {65'534u, 65'535u})
    CHECK(said({.body = std::vector<std::byte>(size)}) == message_of(errc::name_server_failed));
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

namespace {

using asio::ip::udp;

/// UDP to the server that is there when a client's socket first sends: servers come and go behind
/// one address, and one that is leaving still hears its own clients.
class crossroads {
 public:
  explicit crossroads(asio::io_context& context)
      : context_(context), front_(context, udp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    carry_out();
  }

  transport::address where() const {
    return transport::address::loopback_v4(front_.local_endpoint().port());
  }

  /// Sockets that have sent so far: each connection has its own.
  std::size_t clients() const noexcept { return ways_.size(); }

  std::uint16_t port_of_server = 0;

 private:
  struct way {
    way(asio::io_context& context, const udp::endpoint& from)
        : client(from), back(context, udp::endpoint(udp::v4(), 0)) {}
    udp::endpoint client;
    udp::socket back;
    std::array<char, 2048> memory{};
  };

  way& way_of(const udp::endpoint& client) {
    for (way& each : ways_) {
      if (each.client == client) return each;
    }
    way& made = ways_.emplace_back(context_, client);
    made.back.connect({asio::ip::address_v4::loopback(), port_of_server});
    carry_back(made);
    return made;
  }

  void carry_out() {
    front_.async_receive_from(asio::buffer(memory_), from_,
                              [this](std::error_code error, std::size_t size) {
                                if (error) return;
                                std::error_code gone;
                                way_of(from_).back.send(asio::buffer(memory_, size), 0, gone);
                                carry_out();
                              });
  }

  void carry_back(way& on) {
    on.back.async_receive(asio::buffer(on.memory),
                          [this, &on](std::error_code error, std::size_t size) {
                            if (error == asio::error::operation_aborted) return;
                            std::error_code gone;
                            if (!error)
                              front_.send_to(asio::buffer(on.memory, size), on.client, 0, gone);
                            carry_back(on);
                          });
  }

  asio::io_context& context_;
  udp::socket front_;
  udp::endpoint from_;
  std::array<char, 2048> memory_{};
  std::list<way> ways_;
};

/// Servers that are replaced, and one exchange that must find the next one.
struct changing_world : doh_world {
  explicit changing_world(std::chrono::milliseconds idle = 30s) : roads(context) {
    client_options.connection.max_idle_timeout = idle;
    way_there = roads.where();
    roads.port_of_server = server.local_address().port();
    open();
  }

  /// The server before it, which goes on for the clients that it has.
  h3::server replace_server() {
    h3::server before = std::exchange(server, h3::server());
    serve([this](h3::exchange& on) { return answer(on); });
    roads.port_of_server = server.local_address().port();
    return before;
  }

  struct query {
    std::error_code error;
    bool is_over = false;
    std::size_t size = 0;
    std::chrono::seconds age{0};
  };
  /// To the server as the one who asks sees it, without a resolver that would ask again.
  std::shared_ptr<query> begin() {
    const auto out = std::make_shared<query>();
    auto message =
        transport::encode_dns_query({transport::dns_name::parse("example.org").value()}, {});
    exchange->async_exchange(std::move(message), [out](std::error_code error, auto reply) {
      out->error = error;
      out->is_over = true;
      if (!reply) return;
      out->size = reply->message.size();
      out->age = reply->age;
    });
    return out;
  }
  template <class Condition>
  void run_until(Condition holds) {
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (!holds() && std::chrono::steady_clock::now() < limit) context.run_one_for(1s);
    REQUIRE(holds());
  }
  std::error_code end_of(const std::shared_ptr<query>& of) {
    run_until([&] { return of->is_over; });
    CHECK((of->size != 0) == !of->error);
    return of->error;
  }
  void hold() { held.emplace(context, asio::steady_timer::time_point::max()); }

  crossroads roads;
};

}  // namespace

TEST_CASE("h3 doh: a server that ended between two queries", "[h3][dns][doh]") {
  changing_world on;
  for (std::size_t i = 1; i <= 3; ++i) {
    CHECK_FALSE(on.end_of(on.begin()));
    CHECK(on.log.size() == i);
    on.replace_server();
  }
}

TEST_CASE("h3 doh: a connection that was idle for too long", "[h3][dns][doh]") {
  changing_world on(500ms);
  CHECK_FALSE(on.end_of(on.begin()));
  CHECK(on.server.connection_count() == 1);
  on.run_until([&] { return on.server.connection_count() == 0; });
  CHECK_FALSE(on.end_of(on.begin()));
  CHECK(on.log.size() == 2);
}

TEST_CASE("h3 doh: after GOAWAY new queries go elsewhere, and the old ones are answered",
          "[h3][dns][doh]") {
  changing_world on;
  CHECK_FALSE(on.end_of(on.begin()));
  on.hold();
  const auto slow = on.begin();
  on.run_until([&] { return on.log.size() == 2; });
  h3::server before = on.replace_server();
  std::optional<std::error_code> left;
  before.async_shutdown(20s, [&](std::error_code error) { left = error; });
  // The client has heard of it once its queries arrive at the new server.
  asio::steady_timer gate = std::move(*on.held);
  on.held.reset();
  std::size_t more = 0;
  while (on.server.connection_count() == 0) {
    REQUIRE(++more < 1000);
    const auto next = on.begin();
    on.run_until([&] { return next->is_over || on.server.connection_count() != 0; });
    CHECK_FALSE(on.end_of(next));
  }
  CHECK_FALSE(slow->is_over);
  CHECK_FALSE(left);
  gate.cancel();
  CHECK_FALSE(on.end_of(slow));
  on.run_until([&] { return left.has_value(); });
  CHECK_FALSE(*left);
}

TEST_CASE("h3 doh: a connection that is lost under a query", "[h3][dns][doh]") {
  changing_world on;
  SECTION("that others have used: it is asked once more, on a new one") {
    CHECK_FALSE(on.end_of(on.begin()));
    on.hold();
    const auto first = on.begin(), second = on.begin();
    on.run_until([&] { return on.log.size() == 3; });
    on.replace_server().stop();
    on.run_until([&] { return on.log.size() == 5; });
    CHECK_FALSE(first->is_over);
    // Not for ever.
    on.replace_server().stop();
    CHECK(on.end_of(first) == transport::condition::closed);
    CHECK(on.end_of(second) == transport::condition::closed);
    CHECK(on.log.size() == 5);
  }
  SECTION("that is new: its end is the answer") {
    on.hold();
    const auto only = on.begin();
    on.run_until([&] { return on.log.size() == 1; });
    on.replace_server().stop();
    CHECK(on.end_of(only) == transport::condition::closed);
    CHECK(on.log.size() == 1);
  }
  SECTION("in the middle of the answer") {
    CHECK_FALSE(on.end_of(on.begin()));
    on.cuts = true;
    CHECK(on.end_of(on.begin()));
    CHECK(on.log.size() == 2);
    on.cuts = false;
    on.replace_server();
    CHECK_FALSE(on.end_of(on.begin()));
  }
}

TEST_CASE("h3 doh: a query that the server rejects is asked once more, elsewhere",
          "[h3][dns][doh]") {
  changing_world on;
  on.rejects = 1;
  CHECK_FALSE(on.end_of(on.begin()));
  CHECK(on.log.size() == 2);
  CHECK(on.roads.clients() == 2);
  on.rejects = 2;
  CHECK(on.end_of(on.begin()) == transport::condition::refused);
  CHECK(on.log.size() == 4);
  // What ends the request alone says nothing about the connection.
  CHECK_FALSE(on.end_of(on.begin()));
  on.rejects = 1;
  on.rejects_with = h3::error_code::internal_error;
  CHECK(on.end_of(on.begin()));
  CHECK(on.log.size() == 6);
}

TEST_CASE("h3 doh: the age of an answer", "[h3][dns][doh][attack][P19]") {
  changing_world on;
  on.says = [&](const doh_visit& visit) {
    auto reply = testkit::answer_doh(on.zone, visit);
    reply.age = "100";
    return reply;
  };
  const auto aged = on.begin();
  CHECK_FALSE(on.end_of(aged));
  CHECK(aged->age == 100s);
}

TEST_CASE("h3 doh: as many exchanges under way as the limit", "[h3][dns][doh]") {
  changing_world on;
  CHECK_FALSE(on.end_of(on.begin()));
  on.hold();
  std::vector<std::shared_ptr<changing_world::query>> all;
  while (all.size() < transport::limits::max_dns_exchanges_in_line) all.push_back(on.begin());
  CHECK(on.end_of(on.begin()) == errc::limit_exceeded);
  for (const auto& each : all) CHECK_FALSE(each->is_over);
  on.held.reset();
  for (const auto& each : all) CHECK_FALSE(on.end_of(each));
}

TEST_CASE("h3 doh: a resolver asks again where the exchange gives up", "[h3][dns][doh]") {
  changing_world on;
  on.hold();
  std::optional<std::error_code> end;
  const transport::resolve_options wanted{.ipv6 = false, .https = false};
  on.names->async_resolve("example.org", wanted, [&](std::error_code error, auto) { end = error; });
  on.run_until([&] { return on.log.size() == 1; });
  h3::server before = on.replace_server();
  on.held.reset();
  before.stop();
  on.run_until([&] { return end.has_value(); });
  CHECK_FALSE(*end);
  CHECK(on.log.size() == 2);
}
