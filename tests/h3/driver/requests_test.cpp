// SPDX-License-Identifier: Apache-2.0
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "world.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;
using asio::use_awaitable;
using transport::errc;

namespace {

/// Says what it was asked, and sends content back.
asio::awaitable<void> echo(h3::exchange& exchange) {
  const std::string body = co_await read_all(exchange);
  h3::field_section fields;
  fields.add("x-method", exchange.method());
  fields.add("x-path", exchange.path());
  fields.add("x-authority", exchange.authority());
  fields.add("set-cookie", "a=1");
  fields.add("set-cookie", "b=2");
  co_await exchange.async_send_headers(200, fields, use_awaitable);
  const auto buffer = asio::buffer(body);
  co_await exchange.async_write_body(buffer, true, use_awaitable);
}

std::string text(const std::optional<std::string_view>& value) {
  return value ? std::string(*value) : "(none)";
}

}  // namespace

TEST_CASE("h3: any method and any path arrive, and repeated fields keep their order",
          "[h3][driver]") {
  world w;
  w.serve(echo);
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "QUERY", "x-y.z"}) {
      auto request = get("/a/b?c=" + std::string(method), method);
      request.body = method == std::string("HEAD") ? "" : "content";
      const h3::response response = co_await client.async_request(request, use_awaitable);
      CHECK(response.status() == 200);
      CHECK(text(response.fields().find("x-method")) == method);
      CHECK(text(response.fields().find("x-path")) == request.path);
      CHECK(text(response.fields().find("x-authority")) == w.client_options.server.string());
      CHECK(response.fields().count(h3::known_field::set_cookie) == 2);
    }
  });
}

TEST_CASE("h3: respond() sends status, fields, length and content", "[h3][driver]") {
  world w;
  w.serve([](h3::exchange& exchange) -> asio::awaitable<void> {
    h3::field_section fields;
    fields.add("content-type", "text/plain");
    CHECK(exchange.respond(404, fields, "no such thing"));
    CHECK(exchange.finished());
    CHECK_FALSE(exchange.respond(200, fields));
    co_return;
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    h3::response response = co_await client.async_request(get("/"), use_awaitable);
    CHECK(response.status() == 404);
    CHECK(text(response.fields().find("content-length")) == "13");
    const std::string body_of_response = co_await read_all(response);
    CHECK(body_of_response == "no such thing");
    h3::response head = co_await client.async_request(get("/", "HEAD"), use_awaitable);
    CHECK(text(head.fields().find("content-length")) == "13");
    const std::string body_of_head = co_await read_all(head);
    CHECK(body_of_head == "");
  });
}

TEST_CASE("h3: respond() refuses what is not allowed and still answers", "[h3][driver]") {
  world w;
  w.serve([](h3::exchange& exchange) -> asio::awaitable<void> {
    h3::field_section fields, bad;
    bad.add("Upper", "case");
    const std::string limit(h3::exchange::max_short_body, 'x');
    CHECK(exchange.respond(200, fields, limit + "x").error() == errc::message_too_large);
    CHECK(exchange.respond(200, bad).error() == errc::invalid_argument);
    CHECK(exchange.respond(100, fields).error() == errc::invalid_argument);
    CHECK(exchange.respond(200, fields, limit));
    co_return;
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    h3::response response = co_await client.async_request(get("/"), use_awaitable);
    const std::string body = co_await read_all(response);
    CHECK(body.size() == h3::exchange::max_short_body);
  });
}

TEST_CASE("h3: megabytes go both ways at once, with trailers and interim responses",
          "[h3][driver]") {
  world w;
  w.serve([](h3::exchange& exchange) -> asio::awaitable<void> {
    h3::field_section fields;
    fields.add("link", "</style.css>");
    CHECK(exchange.send_interim(103, fields));
    co_await exchange.async_send_headers(200, fields, use_awaitable);
    std::vector<char> chunk(30'000);
    for (;;) {
      const auto buffer = asio::buffer(chunk);
      const auto [error, size] = co_await exchange.async_read_body_some(buffer, use_tuple);
      if (error) break;
      const auto piece = asio::buffer(chunk.data(), size);
      co_await exchange.async_write_body(piece, false, use_awaitable);
    }
    CHECK(text(exchange.trailers().find("x-end")) == "of request");
    h3::field_section trailers;
    trailers.add("x-end", "of response");
    co_await exchange.async_finish(std::move(trailers), use_awaitable);
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    auto request = get("/", "POST");
    request.body_follows = true;
    h3::response response = co_await client.async_request(request, use_awaitable);
    const std::string sent = pattern(5'000'000);
    std::string got;
    bool written = false;
    const auto write = [&]() -> asio::awaitable<void> {
      const auto buffer = asio::buffer(sent);
      co_await response.async_write_body(buffer, false, use_awaitable);
      h3::field_section trailers;
      trailers.add("x-end", "of request");
      co_await response.async_finish(std::move(trailers), use_awaitable);
      written = true;
    };
    asio::co_spawn(w.context, write(), asio::detached);
    co_await response.async_wait_head(use_awaitable);
    REQUIRE(response.interim().size() == 1);
    CHECK(response.interim()[0].status == 103);
    got = co_await read_all(response);
    CHECK(written);
    CHECK(got == sent);
    CHECK(text(response.trailers().find("x-end")) == "of response");
  });
}

TEST_CASE("h3: a reader that does not read stops the writer", "[h3][driver]") {
  world w;
  std::size_t written = 0;
  bool stopped = false;
  w.serve([&](h3::exchange& exchange) -> asio::awaitable<void> {
    h3::field_section fields;
    co_await exchange.async_send_headers(200, fields, use_awaitable);
    const std::string chunk(10'000, 'x');
    for (;;) {
      const auto buffer = asio::buffer(chunk);
      const auto [error, size] = co_await exchange.async_write_body(buffer, false, use_tuple);
      written += size;
      if (error) break;
    }
    stopped = true;
  });
  w.client_options.connection.initial_max_data = 200'000;
  w.client_options.connection.initial_max_stream_data = 100'000;
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    {
      const h3::response response = co_await client.async_request(get("/"), use_awaitable);
      asio::steady_timer timer(w.context, 300ms);
      co_await timer.async_wait(use_awaitable);
      const std::size_t reached = written;
      CHECK(reached >= 100'000);
      // The window, QUIC's watermark and what the core may keep.
      CHECK(reached <= 100'000 + 128 * 1024 + 64 * 1024 + 20'000);
      CHECK_FALSE(stopped);
    }
    while (!stopped) {  // the handle is gone: the request is cancelled
      asio::steady_timer timer(w.context, 5ms);
      co_await timer.async_wait(use_awaitable);
    }
  });
}

TEST_CASE("h3: 300 requests at once wait for the server's limit of streams", "[h3][driver]") {
  world w;
  w.serve(echo);
  w.server_options.endpoint.config.connection.max_streams_bidi = 20;
  w.serve(echo);
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    constexpr int total = 300;
    int done = 0;
    asio::steady_timer all(w.context, asio::steady_timer::time_point::max());
    const auto one = [&](int number) -> asio::awaitable<void> {
      auto request = get("/" + std::to_string(number), "POST");
      request.body = pattern(static_cast<std::size_t>(number) * 50);
      h3::response response = co_await client.async_request(request, use_awaitable);
      CHECK(text(response.fields().find("x-path")) == request.path);
      const std::string body_of_response = co_await read_all(response);
      CHECK(body_of_response == request.body);
      if (++done == total) all.cancel();
    };
    for (int i = 0; i < total; ++i) asio::co_spawn(w.context, one(i), asio::detached);
    co_await all.async_wait(use_tuple);
    CHECK(done == total);
    CHECK(client.statistics().streams_open < 50);
  });
}

TEST_CASE("h3: resets of either side reach the other with their code", "[h3][driver]") {
  world w;
  std::error_code seen;
  bool over = false;
  w.serve([&](h3::exchange& exchange) -> asio::awaitable<void> {
    if (exchange.path() == "/server") {
      exchange.reset(h3::error_code::excessive_load);
      co_return;
    }
    std::vector<char> chunk(100);
    const auto buffer = asio::buffer(chunk);
    const auto [error, size] = co_await exchange.async_read_body_some(buffer, use_tuple);
    seen = error;
    over = true;
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    const auto [error, none] = co_await client.async_request(get("/server"), use_tuple);
    CHECK(error == h3::error_code::excessive_load);
    CHECK_FALSE(h3::is_retry_safe(error));
    auto request = get("/client", "POST");
    request.body_follows = true;
    h3::response response = co_await client.async_request(request, use_awaitable);
    asio::steady_timer timer(w.context, 20ms);
    co_await timer.async_wait(use_awaitable);
    response.reset();
    while (!over) {
      timer.expires_after(5ms);
      co_await timer.async_wait(use_awaitable);
    }
    CHECK(seen == h3::error_code::request_cancelled);
    CHECK(client.is_open());
  });
}

TEST_CASE("h3: a cancelled request completes as aborted and is cancelled at the server",
          "[h3][driver]") {
  world w;
  bool ended = false;
  w.serve([&](h3::exchange& exchange) -> asio::awaitable<void> {
    h3::field_section fields;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    const std::string chunk(1000, 'x');
    while (!exchange.finished()) {
      timer.expires_after(5ms);
      co_await timer.async_wait(use_awaitable);
      if (!exchange.send_interim(103, fields)) break;
    }
    ended = true;
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    asio::cancellation_signal signal;
    std::error_code result;
    bool done = false;
    client.async_request(get("/"), asio::bind_cancellation_slot(
                                       signal.slot(), [&](std::error_code error, h3::response) {
                                         result = error;
                                         done = true;
                                       }));
    asio::steady_timer timer(w.context, 20ms);
    co_await timer.async_wait(use_awaitable);
    signal.emit(asio::cancellation_type::terminal);
    while (!done || !ended) {
      timer.expires_after(5ms);
      co_await timer.async_wait(use_awaitable);
    }
    CHECK(result == errc::aborted);
    CHECK(client.is_open());
  });
}

TEST_CASE("h3: a handler that throws or says nothing gives 500, in the middle a reset",
          "[h3][driver]") {
  world w;
  w.serve([](h3::exchange& exchange) -> asio::awaitable<void> {
    if (exchange.path() == "/throw") throw std::runtime_error("handler");
    if (exchange.path() == "/quiet") co_return;
    h3::field_section fields;
    co_await exchange.async_send_headers(200, fields, use_awaitable);
    const std::string part = "part";
    const auto buffer = asio::buffer(part);
    co_await exchange.async_write_body(buffer, false, use_awaitable);
    throw std::runtime_error("in the middle");
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    const h3::response thrown = co_await client.async_request(get("/throw"), use_awaitable);
    CHECK(thrown.status() == 500);
    const h3::response quiet = co_await client.async_request(get("/quiet"), use_awaitable);
    CHECK(quiet.status() == 500);
    auto [error, middle] = co_await client.async_request(get("/middle"), use_tuple);
    if (!error) {
      std::vector<char> chunk(100);
      do {
        const auto buffer = asio::buffer(chunk);
        std::tie(error, std::ignore) = co_await middle.async_read_body_some(buffer, use_tuple);
      } while (!error);
    }
    CHECK(error == h3::error_code::internal_error);
  });
}

TEST_CASE("h3: a small response leaves in as many packets as it needs, not more", "[h3][driver]") {
  world w;
  w.serve([](h3::exchange& exchange) -> asio::awaitable<void> {
    h3::field_section fields;
    fields.add("content-length", "5");
    co_await exchange.async_send_headers(200, fields, use_awaitable);
    const std::string body = "small";
    const auto buffer = asio::buffer(body);
    co_await exchange.async_write_body(buffer, true, use_awaitable);
  });
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    h3::response first = co_await client.async_request(get("/"), use_awaitable);
    co_await read_all(first);
    asio::steady_timer timer(w.context, 100ms);
    co_await timer.async_wait(use_awaitable);
    const auto before = client.statistics().packets_received;
    constexpr unsigned rounds = 20;
    for (unsigned i = 0; i < rounds; ++i) {
      h3::response response = co_await client.async_request(get("/"), use_awaitable);
      const std::string body_of_response = co_await read_all(response);
      CHECK(body_of_response == "small");
    }
    // One with the response, hardly ever one for an acknowledgement by itself.
    CHECK(client.statistics().packets_received - before <= rounds + rounds / 2);
  });
}
