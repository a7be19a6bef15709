// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/append.hpp>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"
#include "testkit/certificates.hpp"
#include "testkit/run_awaitable.hpp"

namespace strata::transport::tests {

using namespace std::chrono_literals;
using asio::use_awaitable;

inline constexpr auto quietly = asio::as_tuple(use_awaitable);

inline tls_context server_context() {
  tls_server_options options;
  options.alpn = {"test/1"};
  options.credentials = {testkit::test_certificates::shared().server.credential()};
  return transport::make_tls_server_context(options).value();
}

inline tls_context client_context(bool trusts = true) {
  tls_client_options options;
  options.alpn = {"test/1"};
  options.system_roots = false;
  const testkit::certificate_authority stranger;
  options.roots = {trusts ? testkit::test_certificates::shared().authority.root()
                          : stranger.root()};
  return transport::make_tls_client_context(options).value();
}

inline tls_stream_options asking_for(std::string name) {
  tls_stream_options options;
  options.server_name = std::move(name);
  return options;
}
/// Counts what it dials, and lets a test change the world before each.
class counting_dialer final : public transport::stream_dialer {
 public:
  explicit counting_dialer(asio::any_io_executor executor) : tcp_(std::move(executor)) {}

  unsigned dialled = 0;
  std::function<void(unsigned)> before;
  std::error_code refuse_from_second;

 private:
  asio::any_io_executor do_executor() noexcept override { return tcp_.get_executor(); }
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override {
    ++dialled;
    if (before) before(dialled);
    if (dialled == 1 || !refuse_from_second)
      return tcp_.async_dial(where, std::move(waiting.handler));
    asio::post(tcp_.get_executor(),
               asio::append(std::move(waiting.handler), refuse_from_second, nullptr));
  }

  transport::tcp_dialer tcp_;
};
/// A TLS listener and dialer over TCP on loopback.
struct tls_world {
  explicit tls_world(tls_context client = client_context(), tls_stream_options options = {},
                     tls_context server = server_context()) {
    auto on_loopback =
        transport::tcp_listener::listen(context.get_executor(), transport::address::loopback_v4(0));
    listener = std::make_unique<tls_listener>(std::move(*on_loopback), std::move(server));
    carriers = std::make_shared<counting_dialer>(context.get_executor());
    dialer = std::make_unique<tls_dialer>(carriers, std::move(client), std::move(options));
  }
  transport::target where(const std::string& host = "localhost") const {
    return {host, listener->local_address().port()};
  }
  void run(asio::awaitable<void> what) { testkit::run_awaitable(context, std::move(what)); }

  asio::io_context context;
  std::unique_ptr<tls_listener> listener;
  std::shared_ptr<counting_dialer> carriers;
  std::unique_ptr<tls_dialer> dialer;
};

}  // namespace strata::transport::tests
