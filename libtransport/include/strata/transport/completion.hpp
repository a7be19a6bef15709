// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_completion_handler.hpp>
#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <type_traits>
#include <utility>

namespace strata::transport {
inline namespace v0 {

/// What the template fronts hand to a driver: the handler, and whether it has to be run elsewhere than on the driver's own
/// executor. Only the front can tell, because it alone sees the handler's type.
template <class Signature>
struct completion {
  asio::any_completion_handler<Signature> handler;
  bool elsewhere = false;
};

/// Wraps a handler for a driver that runs on `own`. The handler itself is stored, not a lambda around it, so its
/// cancellation slot, allocator and executor stay reachable.
template <class Signature, class Handler>
completion<Signature> make_completion(Handler&& handler, const asio::any_io_executor& own) {
  const auto associated = asio::get_associated_executor(handler, own);
  bool elsewhere = true;
  if constexpr (std::is_same_v<std::remove_cvref_t<decltype(associated)>, asio::any_io_executor>) {
    elsewhere = associated != own;
  } else if (const auto* same = own.target<std::remove_cvref_t<decltype(associated)>>()) {
    elsewhere = *same != associated;
  }
  return {asio::any_completion_handler<Signature>(std::forward<Handler>(handler)), elsewhere};
}

}  // namespace v0
}  // namespace strata::transport
