// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_completion_executor.hpp>
#include <asio/append.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/post.hpp>
#include <asio/prefer.hpp>
#include <cstdint>
#include <utility>

#include "strata/transport/completion.hpp"

namespace strata::transport {
inline namespace v0 {

template <class Signature>
class pending_operation;

/// A place for one started operation: its handler until it completes exactly once, or is dropped with the context.
template <class... Results>
class pending_operation<void(Results...)> {
 public:
  using signature = void(Results...);

  explicit operator bool() const noexcept { return static_cast<bool>(finish_.handler); }

  /// `cancel` is called when the handler's cancellation slot fires while this operation is the pending one.
  template <class Cancel>
  void start(completion<signature> finish, Cancel cancel) {
    finish_ = std::move(finish);
    ++number_;
    if (finish_.elsewhere) {
      // Its context must not run out of work while the operation waits here.
      const auto executor = asio::get_associated_executor(finish_.handler);
      work_ = asio::prefer(executor, asio::execution::outstanding_work.tracked);
    }
    if (auto slot = asio::get_associated_cancellation_slot(finish_.handler); slot.is_connected()) {
      slot.assign([cancel = std::move(cancel), number = number_](asio::cancellation_type type) {
        if (type != asio::cancellation_type::none) cancel(number);
      });
    }
  }

  /// Tells a late cancellation signal from one meant for the pending operation.
  bool is_current(std::uint64_t number) const noexcept { return *this && number_ == number; }

  /// From a turn of the own executor, never from a call that starts or cancels: the handler may run at once.
  void complete_in_turn(Results... results) {
    const bool elsewhere = finish_.elsewhere;
    const auto work = std::move(work_);
    auto handler = release();
    if (elsewhere) {
      asio::dispatch(work, asio::append(std::move(handler), std::move(results)...));
    } else {
      std::move(handler)(std::move(results)...);
    }
  }

  /// By way of the own executor, because the other one alone may run it inside this call.
  void complete_later(const asio::any_io_executor& own, Results... results) {
    asio::post(own, asio::append(release(), std::move(results)...));
  }

  /// Gives the handler up uninvoked; destroying what is returned may destroy anything, the socket included.
  asio::any_completion_handler<signature> release() {
    // The slot is left alone: this may run inside its signal. A late signal finds another number.
    work_ = {};
    return std::exchange(finish_, {}).handler;
  }

 private:
  completion<signature> finish_;
  asio::any_completion_executor work_;
  std::uint64_t number_ = 0;
};

}  // namespace v0
}  // namespace strata::transport
