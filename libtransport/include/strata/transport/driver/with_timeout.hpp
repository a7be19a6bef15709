// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/append.hpp>
#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/deferred.hpp>
#include <asio/dispatch.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "strata/transport/asio_version.hpp"
#include "strata/transport/completion.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {

template <class Signature, class Handler, class Executor>
class timeout_state;

/// What an operation with a deadline and its timer share; everything here runs on the operation's
/// own executor.
template <class... Args, class Handler, class Executor>
class timeout_state<void(std::error_code, Args...), Handler, Executor>
    : public std::enable_shared_from_this<
          timeout_state<void(std::error_code, Args...), Handler, Executor>> {
 public:
  using handler_executor = asio::associated_executor_t<Handler, Executor>;

  timeout_state(Handler handler, const Executor& executor)
      : handler_(std::move(handler)), timer_(executor) {
    const auto wanted = asio::get_associated_executor(handler_, executor);
    if (!is_same(wanted, executor)) foreign_.emplace(wanted);
  }

  void connect_slot() {
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (!slot.is_connected()) return;
    slot.assign([weak = this->weak_from_this()](asio::cancellation_type type) {
      if (const auto self = weak.lock()) self->signal_.emit(type);
    });
  }

  void start_timer(std::chrono::steady_clock::duration limit) {
    if (done_) return;
    timer_.expires_after(limit);
    timer_.async_wait([self = this->shared_from_this()](std::error_code error) {
      if (error || self->done_) return;
      self->expired_ = true;
      self->signal_.emit(asio::cancellation_type::terminal);
    });
  }

  void finish(std::error_code error, Args... args) {
    done_ = true;
    timer_.cancel();
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) slot.clear();
    if (expired_ && (error == errc::aborted || error == asio::error::operation_aborted))
      error = errc::timed_out;
    if (!foreign_) {
      Handler handler(std::move(handler_));
      std::move(handler)(error, std::move(args)...);
      return;
    }
    asio::dispatch(timer_.get_executor(),
                   asio::append(std::move(handler_), error, std::move(args)...));
    foreign_.reset();
  }

  Executor get_executor() noexcept { return timer_.get_executor(); }
  asio::cancellation_slot slot() noexcept { return signal_.slot(); }

 private:
  template <class Other>
  static bool is_same(const Other& other, const Executor& own) noexcept {
    if constexpr (std::is_same_v<Other, Executor>) {
      return other == own;
    } else if constexpr (std::is_same_v<Executor, asio::any_io_executor>) {
      return is_same_executor(other, own);
    } else {
      return false;
    }
  }

  Handler handler_;
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>, Executor>
      timer_;
  asio::cancellation_signal signal_;
  /// Where the handler runs, if elsewhere: that context must not run out of work meanwhile.
  std::optional<asio::executor_work_guard<handler_executor>> foreign_;
  bool expired_ = false;
  bool done_ = false;
};

/// Stands in for the application's handler in the operation itself.
template <class State>
struct timeout_handler {
  using executor_type = decltype(std::declval<State&>().get_executor());
  using cancellation_slot_type = asio::cancellation_slot;

  std::shared_ptr<State> state;

  executor_type get_executor() const noexcept { return state->get_executor(); }
  cancellation_slot_type get_cancellation_slot() const noexcept { return state->slot(); }

  template <class... Args>
  void operator()(std::error_code error, Args&&... args) {
    const auto kept = std::move(state);
    kept->finish(error, std::forward<Args>(args)...);
  }
};

template <class Initiation>
concept names_executor = requires(const Initiation& initiation) { initiation.get_executor(); };

template <class Initiation, class Signature>
struct timeout_initiation {
  Initiation initiation;
  std::chrono::steady_clock::duration limit;

  auto get_executor() const noexcept
    requires names_executor<Initiation>
  {
    return initiation.get_executor();
  }

  template <class Handler, class... Args>
  void operator()(Handler&& handler, Args&&... args) {
    const auto executor = executor_for(handler);
    using state_type =
        timeout_state<Signature, std::decay_t<Handler>, std::decay_t<decltype(executor)>>;
    const auto allocator = asio::get_associated_allocator(handler);
    const auto state =
        std::allocate_shared<state_type>(allocator, std::forward<Handler>(handler), executor);
    state->connect_slot();
    std::move(initiation)(timeout_handler<state_type>{state}, std::forward<Args>(args)...);
    state->start_timer(limit);
  }

 private:
  template <class Handler>
  auto executor_for(const Handler& handler) const noexcept {
    if constexpr (names_executor<Initiation>) {
      return initiation.get_executor();
    } else {
      return asio::get_associated_executor(handler);
    }
  }
};

/// The token through which an operation hands over its initiation, and with that its executor.
template <class Token>
struct timeout_token {
  std::chrono::steady_clock::duration limit;
  Token token;
};

}  // namespace detail

/// Gives an operation a deadline: `co_await with_timeout(stream.async_read_some(buffer), 5s)`.
/// `operation` is one made with asio::deferred, the default of all our asynchronous functions. The
/// timer runs on the executor that its initiation names, as ours and Asio's do, else on the
/// handler's, which must then be the operation's own. When `limit` has passed, it is cancelled
/// through its slot; if that ends it, the error is errc::timed_out. An operation that succeeds all
/// the same, perhaps short, succeeds. The handler's executor, allocator and cancellation slot are
/// kept. The result is again an operation.
template <class Operation, class Token = asio::deferred_t>
auto with_timeout(Operation&& operation, std::chrono::steady_clock::duration limit,
                  Token&& token = Token()) {
  return std::forward<Operation>(operation)(
      detail::timeout_token<std::decay_t<Token>>{limit, std::forward<Token>(token)});
}

}  // namespace v0
}  // namespace strata::transport

template <class Token, class Signature>
struct asio::async_result<strata::transport::detail::timeout_token<Token>, Signature> {
  template <class Initiation, class... Args>
  static auto initiate(Initiation&& initiation,
                       strata::transport::detail::timeout_token<Token> token, Args&&... args) {
    using initiation_type =
        strata::transport::detail::timeout_initiation<std::decay_t<Initiation>, Signature>;
    return asio::async_initiate<Token, Signature>(
        initiation_type{std::forward<Initiation>(initiation), token.limit}, token.token,
        std::forward<Args>(args)...);
  }
};
