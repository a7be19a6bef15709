// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "strata/quic/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Why a connection ends, and how often its CONNECTION_CLOSE is repeated to a peer that goes on
/// sending.
class close_sequence {
 public:
  const close_reason* reason() const noexcept { return reason_ ? &*reason_ : nullptr; }
  void set(close_reason reason) {
    if (!reason_) reason_ = std::move(reason);
  }
  void request_packet() noexcept { pending_ = true; }
  bool packet_pending() const noexcept { return pending_; }
  void on_packet_sent() noexcept { pending_ = false; }

  /// A packet has come in while closing. Answers go to the 1st, 2nd, 4th, 8th ... of them.
  //= RFC 9000 section 10.2.1
  //# An endpoint SHOULD limit the rate at which it generates packets in the closing state.
  void on_packet_received() noexcept {
    if (++received_ < answer_at_) return;
    answer_at_ *= 2;
    pending_ = true;
  }

 private:
  std::optional<close_reason> reason_;
  std::uint64_t received_ = 0;
  std::uint64_t answer_at_ = 1;
  bool pending_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
