// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/driver_registry.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <vector>

using namespace strata::transport;

namespace {

class noted_driver final : public driver {
 public:
  noted_driver(const asio::any_io_executor& executor, int& shutdowns)
      : shutdowns_(shutdowns),
        timer_(std::in_place, executor),
        socket_(std::in_place, executor, asio::ip::tcp::v4()) {
    timer_->expires_after(std::chrono::hours(1));
  }
  void loop() {
    timer_->async_wait([self = shared_from_this()](std::error_code) {});
  }
  std::shared_ptr<driver> other;

 private:
  void shutdown() noexcept override {
    ++shutdowns_;
    timer_.reset();
    socket_.reset();
    other.reset();
  }

  int& shutdowns_;
  std::optional<asio::steady_timer> timer_;
  std::optional<asio::ip::tcp::socket> socket_;
};

}  // namespace

TEST_CASE(
    "driver_registry: every driver alive is shut down once, before sockets and timers are gone",
    "[transport][driver_registry]") {
  int shutdowns = 0;
  auto context = std::make_unique<asio::io_context>();
  const auto kept =
      make_driver<noted_driver>(context->get_executor(), context->get_executor(), shutdowns);
  const auto looping =
      make_driver<noted_driver>(context->get_executor(), context->get_executor(), shutdowns);
  looping->loop();
  {
    const auto gone =
        make_driver<noted_driver>(context->get_executor(), context->get_executor(), shutdowns);
  }

  context.reset();

  CHECK(shutdowns == 2);
}

TEST_CASE("driver_registry: shutting one down may destroy others", "[transport][driver_registry]") {
  int shutdowns = 0;
  auto context = std::make_unique<asio::io_context>();
  const auto executor = context->get_executor();
  std::vector<std::shared_ptr<noted_driver>> chain;
  for (int count = 0; count < 5; ++count)
    chain.push_back(make_driver<noted_driver>(executor, executor, shutdowns));
  for (std::size_t at = 0; at + 1 < chain.size(); ++at) chain[at + 1]->other = chain[at];
  const auto last = chain.back();
  chain.clear();

  context.reset();

  CHECK(shutdowns >= 1);
  CHECK(last->other == nullptr);
}

TEST_CASE("driver_registry: drivers that wait on each other do not leak",
          "[transport][driver_registry]") {
  int shutdowns = 0;
  std::weak_ptr<driver> watched;
  {
    asio::io_context context;
    const auto executor = context.get_executor();
    const auto first = make_driver<noted_driver>(executor, executor, shutdowns);
    const auto second = make_driver<noted_driver>(executor, executor, shutdowns);
    first->other = second;
    second->other = first;
    watched = first;
  }

  CHECK(shutdowns == 1);  // which destroyed the other
  CHECK(watched.expired());
}

TEST_CASE("driver_registry: each context has its own", "[transport][driver_registry]") {
  asio::io_context one, two;

  CHECK(&driver_registry::of(one.get_executor()) == &driver_registry::of(one.get_executor()));
  CHECK(&driver_registry::of(one.get_executor()) != &driver_registry::of(two.get_executor()));
}
