// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <exception>
#include <memory>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/transport/completion.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::proxy {
inline namespace v0 {

/// What an operation that is written as a coroutine has come to; null exactly when there is an
/// error.
template <class Result>
struct made {
  std::error_code error{};
  std::unique_ptr<Result> value{};
};

/// Operations of one handle that are coroutines: each can be cancelled through its slot, and all
/// are aborted with the handle. What a coroutine refers to is its own or shared, because it may
/// take a few more steps after that.
template <class Result>
class spawned_operations final : public transport::driver {
 public:
  using signature = void(std::error_code, std::unique_ptr<Result>);

  explicit spawned_operations(const transport::ready_list& ready) : ready_(ready) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }

  void start(transport::completion<signature> waiting, asio::awaitable<made<Result>> what) {
    if (dead_) return;
    const auto one = std::make_shared<operation>();
    all_.push_back(one);
    one->waiting.start(
        std::move(waiting), [weak = this->weak_from_this(), of = std::weak_ptr(one)] {
          const auto self = std::static_pointer_cast<spawned_operations>(weak.lock());
          const auto held = of.lock();
          if (self && held) self->abort(held);
        });
    const auto self = std::static_pointer_cast<spawned_operations>(this->shared_from_this());
    asio::co_spawn(
        ready_.executor(), std::move(what),
        asio::bind_cancellation_slot(one->stop.slot(),
                                     [self, one](std::exception_ptr thrown, made<Result> result) {
                                       self->settle(one, thrown, std::move(result));
                                     }));
  }

  /// The handle is being destroyed.
  void abort_all() noexcept {
    const auto all = all_;
    for (const auto& each : all) abort(each);
  }

 private:
  struct operation {
    transport::pending_operation<signature> waiting;
    asio::cancellation_signal stop;
  };

  void shutdown() noexcept override {
    dead_ = true;
    const auto all = std::exchange(all_, {});
    for (const auto& each : all) each->waiting.take();
  }

  void abort(const std::shared_ptr<operation>& one) noexcept {
    complete(one, {.error = make_error_code(transport::errc::aborted)});
    one->stop.emit(asio::cancellation_type::terminal);
  }

  void settle(const std::shared_ptr<operation>& one, std::exception_ptr thrown,
              made<Result> result) {
    if (dead_ || !one->waiting) return;
    if (!thrown) return complete(one, std::move(result));
    try {
      std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
      complete(one, {.error = make_error_code(transport::errc::out_of_memory)});
    } catch (const std::system_error& error) {
      complete(one, {.error = error.code()});
    }
  }

  void complete(const std::shared_ptr<operation>& one, made<Result> result) noexcept {
    std::erase(all_, one);
    if (one->waiting) ready_.complete(one->waiting.take(), result.error, std::move(result.value));
  }

  transport::ready_list ready_;
  std::vector<std::shared_ptr<operation>> all_;
  bool dead_ = false;
};

}  // namespace v0
}  // namespace strata::proxy
