// SPDX-License-Identifier: Apache-2.0
#include <asio/co_spawn.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>

#include "strata/quic/endpoint.hpp"
#include "testkit/quic/test_tls.hpp"
#include "testkit/stream_conformance.hpp"

using namespace strata;
using namespace std::chrono_literals;
using asio::use_awaitable;

namespace {

class quic_carrier final : public testkit::carrier {
 public:
  quic_carrier() {
    quic::endpoint_options options;
    options.bind = transport::address::loopback_v4(0);
    options.server_tls = testkit::test_server_tls();
    options.client_tls = testkit::test_client_tls();
    endpoint_ =
        std::move(quic::endpoint::open(context_.get_executor(), std::move(options)).value());
  }

  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }

  testkit::stream_ends connect() override {
    testkit::stream_ends ends;
    bool done = false;
    asio::co_spawn(context_, join(ends), [&done](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
      done = true;
    });
    while (!done) context_.run_one();
    settle();
    return ends;
  }

  /// The peer's packets take their way through the system: it is settled when nothing has come for
  /// a while.
  void settle() override {
    do {
      context_.restart();
    } while (context_.run_one_for(4ms) > 0);
  }

  std::optional<std::error_code> lose() override {
    accepted_.close(9, "lost");
    settle();
    return make_error_code(transport::errc::closed_by_peer);
  }

 private:
  asio::awaitable<void> join(testkit::stream_ends& ends) {
    const quic::core::connection_config config;
    const auto remote = endpoint_.local_address();
    asio::co_spawn(context_, accept(), [](std::exception_ptr) {});
    dialled_ = co_await endpoint_.async_connect(remote, "server.test", config, use_awaitable);
    auto near = co_await dialled_.async_open_stream(true, use_awaitable);
    // A stream exists for the peer with its first byte.
    char greeting = 1;
    const auto out = asio::buffer(&greeting, 1);
    co_await asio::async_write(*near, out, use_awaitable);
    while (!accepted_) co_await asio::post(context_, use_awaitable);
    auto far = co_await accepted_.async_accept_stream(true, use_awaitable);
    const auto in = asio::buffer(&greeting, 1);
    co_await asio::async_read(*far, in, use_awaitable);
    ends.near = std::move(near);
    ends.far = std::move(far);
  }
  asio::awaitable<void> accept() { accepted_ = co_await endpoint_.async_accept(use_awaitable); }

  testkit::carrier_row row_{.name = "QUIC", .traits = {true, true, true, true}};
  asio::io_context context_;
  quic::endpoint endpoint_;
  quic::connection dialled_, accepted_;
};

}  // namespace

TEST_CASE("quic: streams keep the contract of streams", "[quic][driver][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<quic_carrier>(); });
}
