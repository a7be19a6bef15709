// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_completion_handler.hpp>
#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/associator.hpp>
#include <asio/executor_work_guard.hpp>
#include <cstddef>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strata/transport/asio_version.hpp"

namespace strata::transport {
inline namespace v0 {

/// How reads and writes complete: the result, and the bytes that moved.
using io_signature = void(std::error_code, std::size_t);
/// How operations without a count complete.
using status_signature = void(std::error_code);

/// A waiting completion handler, its type erased. Drivers store it and complete it through a
/// ready_list only.
template <class Signature>
struct completion {
  asio::any_completion_handler<Signature> handler;
  /// The handler runs on another executor than the driver's. Known only where the handler's type
  /// is: in make_completion.
  bool elsewhere = false;
};

namespace detail {

template <class Executor>
bool is_same_executor(const Executor& executor, const asio::any_io_executor& own) noexcept {
  if constexpr (std::is_base_of_v<asio::any_io_executor, Executor>) {
    return static_cast<const asio::any_io_executor&>(executor) == own;
  } else {
    const auto* target = own.target<Executor>();
    return target != nullptr && *target == executor;
  }
}

/// A handler of another executor, whose context must not run out of work while the operation waits.
template <class Handler, class Executor>
struct guarded_handler {
  Handler handler;
  asio::executor_work_guard<Executor> guard;

  template <class... Args>
  void operator()(Args&&... args) {
    std::move(handler)(std::forward<Args>(args)...);
  }
};

/// Makes a handler without a count out of one for reads: waiting until readable moves nothing.
template <class Handler>
struct countless_handler {
  Handler handler;
  void operator()(std::error_code error, std::size_t) { std::move(handler)(error); }
};

/// Makes a handler for one result out of one for another: `Convert` is called with the error and
/// the result, and gives what the handler takes.
template <class Handler, class Convert>
struct converting_handler {
  Handler handler;
  template <class Result>
  void operator()(std::error_code error, Result result) {
    std::move(handler)(error, Convert{}(error, std::move(result)));
  }
};

}  // namespace detail

/// A waiting handler for the completion of an operation with another result.
template <class Convert, class Signature>
auto convert_completion(completion<Signature> waiting) {
  using erased = asio::any_completion_handler<Signature>;
  return detail::converting_handler<erased, Convert>{std::move(waiting.handler)};
}

/// Erases `handler`, keeping its executor, allocator and cancellation slot. For the fronts of
/// asynchronous operations: the handler itself must come here, because a lambda around it would
/// hide its cancellation slot. `own` is the serial executor of the driver that will complete it.
template <class Signature, class Handler>
completion<Signature> make_completion(Handler&& handler, const asio::any_io_executor& own) {
  using plain_handler = std::decay_t<Handler>;
  using erased = asio::any_completion_handler<Signature>;
  const auto executor = asio::get_associated_executor(handler, own);
  if (detail::is_same_executor(executor, own))
    return {erased(std::forward<Handler>(handler)), false};
  using guarded = detail::guarded_handler<plain_handler, std::decay_t<decltype(executor)>>;
  return {erased(guarded{std::forward<Handler>(handler), asio::make_work_guard(executor)}), true};
}

}  // namespace v0
}  // namespace strata::transport

template <template <class, class> class Associator, class Handler, class Executor, class Default>
struct asio::associator<Associator, strata::transport::detail::guarded_handler<Handler, Executor>,
                        Default> : Associator<Handler, Default> {
  using wrapper = strata::transport::detail::guarded_handler<Handler, Executor>;
  static auto get(const wrapper& of) noexcept {
    return Associator<Handler, Default>::get(of.handler);
  }
  static auto get(const wrapper& of, const Default& fallback) noexcept {
    return Associator<Handler, Default>::get(of.handler, fallback);
  }
};

template <template <class, class> class Associator, class Handler, class Default>
struct asio::associator<Associator, strata::transport::detail::countless_handler<Handler>, Default>
    : Associator<Handler, Default> {
  using wrapper = strata::transport::detail::countless_handler<Handler>;
  static auto get(const wrapper& of) noexcept {
    return Associator<Handler, Default>::get(of.handler);
  }
  static auto get(const wrapper& of, const Default& fallback) noexcept {
    return Associator<Handler, Default>::get(of.handler, fallback);
  }
};

template <template <class, class> class Associator, class Handler, class Convert, class Default>
struct asio::associator<Associator, strata::transport::detail::converting_handler<Handler, Convert>,
                        Default> : Associator<Handler, Default> {
  using wrapper = strata::transport::detail::converting_handler<Handler, Convert>;
  static auto get(const wrapper& of) noexcept {
    return Associator<Handler, Default>::get(of.handler);
  }
  static auto get(const wrapper& of, const Default& fallback) noexcept {
    return Associator<Handler, Default>::get(of.handler, fallback);
  }
};
