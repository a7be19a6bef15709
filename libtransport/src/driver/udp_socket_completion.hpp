// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/append.hpp>
#include <asio/post.hpp>
#include <utility>

#include "strata/transport/completion.hpp"

namespace strata::transport {
inline namespace v0 {

/// From inside a call of the user's; on a dead context (no executor) the handler is destroyed.
template <class Signature, class... Results>
void complete_later(const asio::any_io_executor& own, completion<Signature> waiting,
                    Results... results) {
  if (!own) return;
  asio::post(own, asio::append(std::move(waiting.handler), std::move(results)...));
}

/// From a turn that the reactor began, where nobody of the user's is on the stack: the handler runs
/// at once, which saves a datagram one trip through the queue, unless it belongs elsewhere.
template <class Signature, class... Results>
void complete_in_turn(const asio::any_io_executor& own, completion<Signature> waiting,
                      Results... results) {
  if (waiting.elsewhere) return complete_later(own, std::move(waiting), std::move(results)...);
  std::move(waiting.handler)(std::move(results)...);
}

}  // namespace v0
}  // namespace strata::transport
