// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/associated_cancellation_slot.hpp>
#include <asio/cancellation_type.hpp>
#include <cassert>

#include "strata/transport/completion.hpp"

namespace strata::transport {
inline namespace v0 {

/// The place in a driver where an operation waits.
template <class Signature>
class pending_operation {
 public:
  explicit operator bool() const noexcept { return static_cast<bool>(waiting_.handler); }

  /// `cancel` is called, without arguments, when the operation's cancellation slot is signalled. It
  /// takes the operation and completes it; it may be destroyed meanwhile, so it is copied before
  /// the call. It captures a weak_ptr to the driver.
  template <class Cancel>
  void start(completion<Signature> operation, Cancel cancel) {
    assert(!*this && "one operation of a kind at a time");
    waiting_ = std::move(operation);
    auto slot = asio::get_associated_cancellation_slot(waiting_.handler);
    if (!slot.is_connected()) return;
    slot.assign([cancel = std::move(cancel)](asio::cancellation_type type) {
      if (type == asio::cancellation_type::none) return;
      auto copy = cancel;
      copy();
    });
  }

  /// Moves the operation out and disconnects its slot, so that a later signal finds nothing.
  completion<Signature> take() noexcept {
    completion<Signature> out = std::move(waiting_);
    if (!out.handler) return out;
    auto slot = asio::get_associated_cancellation_slot(out.handler);
    if (slot.is_connected()) slot.clear();
    return out;
  }

 private:
  completion<Signature> waiting_;
};

}  // namespace v0
}  // namespace strata::transport
