// SPDX-License-Identifier: Apache-2.0
#include <asio/read_until.hpp>
#include <catch2/catch_test_macros.hpp>

#include "mux/driver/anytls_world.hpp"
#include "strata/transport/tls_stream.hpp"
#include "testkit/certificates.hpp"
#include "testkit/stream_conformance.hpp"

using namespace strata;
using namespace strata::mux::testing;
using mux::anytls_dialer;
using mux::anytls_listener;
using mux::anytls_options;
using mux::anytls_request;

namespace {

transport::tls_context server_context() {
  transport::tls_server_options options;
  options.credentials = {testkit::test_certificates::shared().server.credential()};
  return transport::make_tls_server_context(options).value();
}

transport::tls_context client_context() {
  transport::tls_client_options options;
  options.system_roots = false;
  options.roots = {testkit::test_certificates::shared().authority.root()};
  return transport::make_tls_client_context(options).value();
}

/// One stream of anytls over memory streams, or over TLS over them. `near` is the client's end, or
/// the server's.
class anytls_carrier final : public testkit::carrier {
 public:
  anytls_carrier(bool over_tls, bool near_is_client)
      : near_is_client_(near_is_client), network_(context_.get_executor()) {
    row_.holds_finish = near_is_client;
    row_.peer_holds_finish = !near_is_client;
    std::shared_ptr<transport::stream_dialer> dials = network_.dialer();
    std::unique_ptr<transport::stream_listener> listens = network_.listener();
    if (over_tls) {
      dials = std::make_shared<transport::tls_dialer>(std::move(dials), client_context());
      listens = std::make_unique<transport::tls_listener>(std::move(listens), server_context());
    }
    listener_ = std::make_unique<anytls_listener>(std::move(listens), server_options());
    dialer_ = std::make_unique<anytls_dialer>(
        std::move(dials), transport::target("server.test", 443), client_options());
  }

  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }

  testkit::stream_ends connect() override {
    std::unique_ptr<transport::stream> client, server;
    dialer_->async_dial(some_target,
                        [&](std::error_code error, std::unique_ptr<transport::stream> made) {
                          CHECK_FALSE(error);
                          client = std::move(made);
                        });
    listener_->async_accept([&](std::error_code error, std::unique_ptr<anytls_request> asked) {
      CHECK_FALSE(error);
      CHECK(asked->destination() == some_target);
      CHECK(asked->user() == "bob");
      server = asked->accept();
    });
    while (!client || !server) context_.run_one();
    settle();
    if (near_is_client_) return {std::move(client), std::move(server)};
    return {std::move(server), std::move(client)};
  }

  std::optional<std::error_code> lose() override {
    network_.links().front().cut(make_error_code(errc::unreachable));
    settle();
    return make_error_code(errc::unreachable);
  }

 private:
  testkit::carrier_row row_{
      .name = "anytls", .traits = {false, false, false, false}, .tries = true, .peeks = true};
  bool near_is_client_;
  asio::io_context context_;
  memory_network network_;
  std::unique_ptr<anytls_listener> listener_;
  std::unique_ptr<anytls_dialer> dialer_;
};

}  // namespace

TEST_CASE("anytls: a client's streams keep the contract", "[mux][anytls][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<anytls_carrier>(false, true); });
}

TEST_CASE("anytls: a server's streams keep the contract", "[mux][anytls][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<anytls_carrier>(false, false); });
}

TEST_CASE("anytls: streams over TLS keep the contract", "[mux][anytls][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<anytls_carrier>(true, true); });
}

TEST_CASE("anytls: a client's end reaches the server when the server is silent for long enough",
          "[mux][anytls][driver]") {
  anytls_options client;
  client.session.finish_hold = 20ms;
  anytls_world world(client);
  world.run([](anytls_world& on) -> asio::awaitable<void> {
    ends both = co_await connect(on);
    co_await write_text(*both.near, "last words");
    co_await both.near->async_finish(use_awaitable);
    const auto got = co_await read_text(*both.far, 10);
    CHECK(got == "last words");
    const auto there = co_await read_end(*both.far);
    CHECK(there == errc::eof);
    const auto here = co_await read_end(*both.near);
    CHECK(here == errc::timed_out);
    const auto text = asio::buffer("late", 4);
    const auto [error, count] = co_await both.far->async_write_some(text, quietly);
    CHECK(error == errc::write_stopped);
  }(world));
}

TEST_CASE("anytls: read_until works over its streams", "[mux][anytls][driver]") {
  anytls_world world;
  world.run([](anytls_world& on) -> asio::awaitable<void> {
    ends both = co_await connect(on);
    co_await write_text(*both.far, "one line\nand more");
    std::string got;
    auto into = asio::dynamic_buffer(got);
    const std::size_t size = co_await asio::async_read_until(*both.near, into, '\n', use_awaitable);
    CHECK(got.substr(0, size) == "one line\n");
  }(world));
}
