// SPDX-License-Identifier: Apache-2.0
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "testkit/certificates.hpp"
#include "testkit/need_ech.hpp"
#include "world.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;
using asio::use_awaitable;
using transport::errc;

namespace {

asio::awaitable<void> send_forever(h3::exchange& exchange) {
  h3::field_section fields;
  co_await exchange.async_send_headers(200, fields, use_awaitable);
  const std::string chunk(50'000, 'x');
  for (;;) {
    const auto buffer = asio::buffer(chunk);
    co_await exchange.async_write_body(buffer, false, use_awaitable);
  }
}

/// Answers after a while with 3 MB.
asio::awaitable<void> send_late(h3::exchange& exchange) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 100ms);
  co_await timer.async_wait(use_awaitable);
  h3::field_section fields;
  co_await exchange.async_send_headers(200, fields, use_awaitable);
  const std::string body = pattern(3'000'000);
  const auto buffer = asio::buffer(body);
  co_await exchange.async_write_body(buffer, true, use_awaitable);
}

asio::awaitable<void> say_ok(h3::exchange& exchange) {
  h3::field_section fields;
  CHECK(exchange.respond(200, fields, "ok"));
  co_return;
}

/// A server's TLS for hidden.test behind public.test, with this ECH key or none.
transport::tls_context hidden_server(const transport::ech_key_pair* key) {
  transport::tls_server_options options;
  options.alpn = {"h3"};
  const auto& authority = testkit::test_certificates::shared().authority;
  options.credentials = {authority.issue({.names = {"public.test"}}).credential(),
                         authority.issue({.names = {"hidden.test"}}).credential()};
  if (key != nullptr) options.ech_keys = {{.pem = transport::pem_source::from_text(key->pem)}};
  return transport::make_tls_server_context(options).value();
}

asio::awaitable<void> pause(world& w, std::chrono::milliseconds time) {
  asio::steady_timer timer(w.context, time);
  co_await timer.async_wait(use_awaitable);
}

}  // namespace

TEST_CASE("h3: shutdown answers what has come in and refuses the rest safely", "[h3][driver]") {
  world w;
  w.serve(send_late);
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    bool down = false;
    std::error_code how;
    std::string got;
    const auto download = [&]() -> asio::awaitable<void> {
      h3::response response = co_await client.async_request(get("/"), use_awaitable);
      got = co_await read_all(response);
    };
    asio::co_spawn(w.context, download(), asio::detached);
    co_await pause(w, 20ms);
    w.server.async_shutdown(20s, [&](std::error_code error) {
      how = error;
      down = true;
    });
    while (!client.going_away()) co_await pause(w, 1ms);
    const auto [error, none] = co_await client.async_request(get("/late"), use_tuple);
    CHECK(h3::is_retry_safe(error));
    // The server is done when everything is acknowledged; the client may still be reading.
    while (!down || got.empty() || client.is_open()) co_await pause(w, 1ms);
    CHECK_FALSE(how);
    CHECK(got == pattern(3'000'000));
    CHECK_FALSE(client.is_open());
    REQUIRE(client.closed());
    CHECK(client.closed()->code == static_cast<std::uint64_t>(h3::error_code::no_error));
  });
}

TEST_CASE("h3: shutdown cuts off what is not done by the deadline", "[h3][driver]") {
  world w;
  w.serve(send_forever);
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    h3::response response = co_await client.async_request(get("/"), use_awaitable);
    bool down = false;
    std::error_code how;
    w.server.async_shutdown(100ms, [&](std::error_code error) {
      how = error;
      down = true;
    });
    while (!down) co_await pause(w, 5ms);
    CHECK(how == errc::timed_out);
    std::error_code last;
    std::vector<char> chunk(100'000);
    while (!last) {
      const auto buffer = asio::buffer(chunk);
      std::tie(last, std::ignore) = co_await response.async_read_body_some(buffer, use_tuple);
    }
    CHECK(last != errc::eof);
  });
}

TEST_CASE("h3: stop() in the middle of a transfer never looks like its end", "[h3][driver]") {
  world w;
  w.serve(send_forever);
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    h3::response response = co_await client.async_request(get("/"), use_awaitable);
    std::error_code last;
    std::vector<char> chunk(100'000);
    for (int reads = 0; !last; ++reads) {
      if (reads == 10) w.server.stop();
      const auto buffer = asio::buffer(chunk);
      std::tie(last, std::ignore) = co_await response.async_read_body_some(buffer, use_tuple);
    }
    CHECK(last == errc::closed_by_peer);
    const auto [error, none] = co_await client.async_request(get("/again"), use_tuple);
    CHECK(error == errc::closed_by_peer);
  });
}

TEST_CASE("h3: what had arrived can be read after the server has closed", "[h3][driver]") {
  world w;
  w.serve([](h3::exchange& exchange) -> asio::awaitable<void> {
    h3::field_section fields;
    CHECK(exchange.respond(200, fields, pattern(60'000)));
    co_return;
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    h3::response response = co_await client.async_request(get("/"), use_awaitable);
    bool down = false;
    w.server.async_shutdown(5s, [&](std::error_code) { down = true; });
    while (!down || client.is_open()) co_await pause(w, 5ms);
    const std::string body_of_response = co_await read_all(response);
    CHECK(body_of_response == pattern(60'000));
  });
}

TEST_CASE("h3: a handler may destroy its exchange, and the server too", "[h3][driver]") {
  world w;
  w.serve([&](h3::exchange& exchange) -> asio::awaitable<void> {
    const bool all = exchange.path() == "/server";
    { const h3::exchange gone = std::move(exchange); }
    if (all) w.server = h3::server();
    co_return;
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    const auto [error, none] = co_await client.async_request(get("/"), use_tuple);
    CHECK(error == h3::error_code::request_cancelled);
    const auto [gone, nothing] = co_await client.async_request(get("/server"), use_tuple);
    CHECK(gone);
  });
}

TEST_CASE("h3: a context can go with requests pending on both sides", "[h3][driver]") {
  auto w = std::make_unique<world>();
  std::optional<h3::client> outlives;
  std::optional<h3::response> response;
  w->serve([](h3::exchange& exchange) -> asio::awaitable<void> {
    std::vector<char> chunk(100);
    const auto buffer = asio::buffer(chunk);
    h3::field_section fields;
    co_await exchange.async_send_headers(200, fields, use_awaitable);
    co_await exchange.async_read_body_some(buffer, use_awaitable);
    co_await exchange.async_read_body_some(buffer, use_awaitable);
  });
  w->run([&]() -> asio::awaitable<void> {
    outlives = co_await w->connect();
    auto request = get("/", "POST");
    request.body_follows = true;
    response = co_await outlives->async_request(request, use_awaitable);
    co_await response->async_wait_head(use_awaitable);
    static std::array<char, 100> memory;
    response->async_read_body_some(asio::buffer(memory), [](std::error_code, std::size_t) {
      FAIL("a handler ran on a dead context");
    });
    outlives->async_request(get("/other"), [](std::error_code, h3::response) {
      FAIL("a handler ran on a dead context");
    });
  });
  w.reset();
  CHECK_FALSE(outlives->is_open());
  response.reset();
  outlives.reset();
}

TEST_CASE("h3: a connection closes when its last handle goes", "[h3][driver]") {
  world w;
  w.serve([](h3::exchange& exchange) -> asio::awaitable<void> {
    h3::field_section fields;
    CHECK(exchange.respond(200, fields));
    co_return;
  });
  w.run([&]() -> asio::awaitable<void> {
    {
      h3::client client = co_await w.connect();
      const h3::response response = co_await client.async_request(get("/"), use_awaitable);
      client = h3::client();
      co_await pause(w, 20ms);
      CHECK(w.server.connection_count() == 1);  // the response still names it
    }
    while (w.server.connection_count() != 0) co_await pause(w, 5ms);
  });
}

TEST_CASE("h3: connecting fails with what went wrong", "[h3][driver]") {
  world w;
  w.serve([](h3::exchange&) -> asio::awaitable<void> { co_return; });
  w.run([&]() -> asio::awaitable<void> {
    const asio::any_io_executor executor = w.context.get_executor();
    auto wrong_name = w.client_options;
    wrong_name.server_name = "other.test";
    auto [rejected, client] = co_await h3::client::async_connect(executor, wrong_name, use_tuple);
    CHECK(rejected == errc::certificate_rejected);
    CHECK((client && client.closed()));
    auto nowhere = w.client_options;
    nowhere.server = transport::target("does-not-exist.invalid", 443);
    auto [unknown, none] = co_await h3::client::async_connect(executor, nowhere, use_tuple);
    CHECK(unknown == errc::name_not_found);
    auto silent = w.client_options;
    silent.server = transport::target(transport::address::loopback_v4(9));
    silent.connection.handshake_timeout = 200ms;
    auto [late, nobody] = co_await h3::client::async_connect(executor, silent, use_tuple);
    CHECK(late);
  });
}

TEST_CASE("h3: a client tries Encrypted Client Hello again with what the server names",
          "[h3][driver][ech]") {
  testkit::need_ech();
  using enum transport::ech_status;
  const auto old_key = transport::make_ech_key("public.test").value();
  const auto key = transport::make_ech_key("public.test").value();
  world w;
  w.server_options.endpoint.server_tls = hidden_server(&key);
  w.server_options.endpoint.bind = transport::address::any_v6(0);
  w.serve(say_ok);
  // Where it has two addresses both are tried at the same time, and both reject.
  w.client_options.server = transport::target("localhost", w.server.local_address().port());
  w.client_options.attempt_delay = 0ms;
  w.client_options.server_name = "hidden.test";
  transport::tls_ech_offer offer;
  offer.config_list = old_key.config_list;
  w.client_options.tls = w.client_options.tls->with_ech(offer).value();
  w.run([&]() -> asio::awaitable<void> {
    {
      h3::client client = co_await w.connect();
      CHECK(client.security().ech.status == accepted);
      CHECK(client.security().ech.retried);
      h3::response response = co_await client.async_request(get("/"), use_awaitable);
      CHECK(response.status() == 200);
    }
    w.server.use(hidden_server(&old_key));
    {
      h3::client client = co_await w.connect();
      CHECK(client.security().ech.status == accepted);
      CHECK_FALSE(client.security().ech.retried);
    }
    w.server.use(hidden_server(nullptr));
    const asio::any_io_executor executor = w.context.get_executor();
    {
      auto [error, client] =
          co_await h3::client::async_connect(executor, w.client_options, use_tuple);
      CHECK(error == errc::ech_rejected);
      REQUIRE(client);
      CHECK(client.security().ech.status == rejected);
    }
    w.client_options.ech = transport::ech_policy::secure_disable;
    h3::client client = co_await w.connect();
    CHECK(client.security().ech.status == rejected);
    CHECK(client.security().server_name == "hidden.test");
  });
}
