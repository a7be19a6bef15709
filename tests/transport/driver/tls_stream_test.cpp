// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/tls_stream.hpp"

#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <optional>
#include <string>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/memory_stream.hpp"
#include "testkit/stream_conformance.hpp"
#include "tls_world.hpp"

using namespace strata;
using namespace strata::transport::tests;
using transport::errc;

namespace {

class tls_carrier final : public testkit::carrier {
 public:
  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }

  testkit::stream_ends connect() override {
    auto pair = transport::make_memory_streams(context_.get_executor());
    link_.emplace(pair.link);
    testkit::stream_ends ends;
    const auto into = [](std::unique_ptr<transport::stream>& place) {
      return [&place](std::error_code error, std::unique_ptr<transport::tls_stream> made) {
        CHECK_FALSE(error);
        place = std::move(made);
      };
    };
    transport::async_tls_handshake(std::move(pair.first), client_context(),
                                   asking_for("server.test"), into(ends.near));
    transport::async_tls_handshake(std::move(pair.second), server_context(), {}, into(ends.far));
    while (!ends.near || !ends.far) context_.run_one();
    settle();
    return ends;
  }

  std::optional<std::error_code> lose() override {
    link_->cut(make_error_code(errc::unreachable));
    settle();
    return make_error_code(errc::unreachable);
  }

 private:
  testkit::carrier_row row_{.name = "TLS",
                            .traits = {true, true, false, true},
                            .reset_kills_connection = true,
                            .sees_end_by_reading_only = true,
                            .tries = true};
  asio::io_context context_;
  std::optional<transport::memory_link> link_;
};
asio::awaitable<void> echo_one(transport::tls_listener& listener) {
  auto stream = co_await listener.async_accept(use_awaitable);
  std::vector<char> memory(40'000);
  const auto room = asio::buffer(memory);
  for (;;) {
    const auto [error, size] = co_await stream->async_read_some(room, quietly);
    if (error) break;
    const auto back = asio::buffer(memory.data(), size);
    co_await asio::async_write(*stream, back, use_awaitable);
  }
  co_await stream->async_finish(use_awaitable);
}
}  // namespace

TEST_CASE("tls: streams keep the contract", "[transport][tls][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<tls_carrier>(); });
}

TEST_CASE("tls: a megabyte there and back over TCP, and both ends in order", "[transport][tls]") {
  tls_world world;
  asio::co_spawn(world.context, echo_one(*world.listener), asio::detached);
  world.run([](tls_world& on) -> asio::awaitable<void> {
    auto stream = co_await on.dialer->async_dial(on.where(), use_awaitable);
    REQUIRE(stream->security());
    CHECK(stream->security()->alpn == "test/1");
    CHECK(stream->remote_address() == on.listener->local_address());
    std::string text(1'000'000, ' ');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + (i >> 8));
    asio::co_spawn(
        on.context,
        [](transport::stream& to, const std::string& all) -> asio::awaitable<void> {
          const auto bytes = asio::buffer(all);
          co_await asio::async_write(to, bytes, use_awaitable);
          co_await to.async_finish(use_awaitable);
        }(*stream, text),
        asio::detached);
    std::string got(text.size(), ' ');
    const auto room = asio::buffer(got);
    co_await asio::async_read(*stream, room, use_awaitable);
    CHECK(got == text);
    const auto [error, none] = co_await stream->async_read_some(room, quietly);
    CHECK(error == errc::eof);
  }(world));
}

TEST_CASE("tls: read_until works over it", "[transport][tls]") {
  tls_world world;
  asio::co_spawn(world.context, echo_one(*world.listener), asio::detached);
  world.run([](tls_world& on) -> asio::awaitable<void> {
    auto stream = co_await on.dialer->async_dial(on.where(), use_awaitable);
    const std::string text = "one line\nand more";
    const auto out = asio::buffer(text);
    co_await asio::async_write(*stream, out, use_awaitable);
    std::string got;
    auto into = asio::dynamic_buffer(got);
    const std::size_t size = co_await asio::async_read_until(*stream, into, '\n', use_awaitable);
    CHECK(got.substr(0, size) == "one line\n");
  }(world));
}

TEST_CASE("tls: what a failed handshake says", "[transport][tls]") {
  std::vector<transport::tls_failure> told;
  transport::tls_stream_options options;
  options.on_failure = [&told](const transport::tls_failure& why) { told.push_back(why); };
  SECTION("a certificate of a stranger") {
    tls_world world(client_context(false), options);
    world.listener->async_accept([](std::error_code, std::unique_ptr<transport::stream>) {});
    world.run([](tls_world& on) -> asio::awaitable<void> {
      const auto [error, stream] = co_await on.dialer->async_dial(on.where(), quietly);
      CHECK(error == errc::certificate_rejected);
      CHECK(stream == nullptr);
    }(world));
    REQUIRE(told.size() == 1);
    CHECK_FALSE(told[0].text.empty());
    CHECK(told[0].alert_sent);
  }
  SECTION("another name") {
    options.server_name = "elsewhere.test";
    tls_world world(client_context(), options);
    world.listener->async_accept([](std::error_code, std::unique_ptr<transport::stream>) {});
    world.run([](tls_world& on) -> asio::awaitable<void> {
      const auto [error, stream] = co_await on.dialer->async_dial(on.where(), quietly);
      CHECK(error == errc::certificate_rejected);
    }(world));
  }
  SECTION("a peer that is silent") {
    asio::io_context context;
    auto pair = transport::make_memory_streams(context.get_executor());
    options.server_name = "server.test";
    options.handshake_timeout = 20ms;
    std::error_code got;
    transport::async_tls_handshake(
        std::move(pair.first), client_context(), options,
        [&](std::error_code error, std::unique_ptr<transport::tls_stream>) { got = error; });
    context.run_for(5s);
    CHECK(got == errc::timed_out);
  }
}

TEST_CASE("tls: a cancelled handshake resets the carrier", "[transport][tls]") {
  asio::io_context context;
  auto pair = transport::make_memory_streams(context.get_executor());
  asio::cancellation_signal stop;
  std::error_code got, seen;
  transport::async_tls_handshake(
      std::move(pair.first), client_context(), asking_for("server.test"),
      asio::bind_cancellation_slot(
          stop.slot(),
          [&](std::error_code error, std::unique_ptr<transport::tls_stream>) { got = error; }));
  context.run_for(20ms);
  CHECK_FALSE(got);
  stop.emit(asio::cancellation_type::terminal);
  std::array<char, 2000> memory;
  pair.second->async_read_some(asio::buffer(memory),
                               [&](std::error_code error, std::size_t) { seen = error; });
  context.restart();
  context.run_for(1s);
  CHECK(got == errc::aborted);
  CHECK(seen == errc::stream_reset);
}

TEST_CASE("tls: handshakes that stall keep nobody else from being accepted", "[transport][tls]") {
  tls_world world;
  world.run([](tls_world& on) -> asio::awaitable<void> {
    transport::tcp_dialer plain(on.context.get_executor());
    std::vector<std::unique_ptr<transport::stream>> silent;
    for (int i = 0; i < 20; ++i)
      silent.push_back(co_await plain.async_dial(on.where("127.0.0.1"), use_awaitable));
    asio::co_spawn(on.context, echo_one(*on.listener), asio::detached);
    auto stream = co_await on.dialer->async_dial(on.where(), use_awaitable);
    const auto out = asio::buffer("x", 1);
    co_await asio::async_write(*stream, out, use_awaitable);
    char byte = 0;
    const auto in = asio::buffer(&byte, 1);
    co_await asio::async_read(*stream, in, use_awaitable);
    CHECK(byte == 'x');
  }(world));
}
