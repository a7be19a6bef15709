// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "strata/quic/core/error.hpp"
#include "strata/quic/core/limits.hpp"

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
  void on_packet_sent(std::size_t size) noexcept {
    pending_ = false;
    if (answering_) answered_bytes_ += size;
    packet_size_ = size;
  }

  /// A datagram of `size` bytes has come in while closing. Answers go to the 1st, 2nd, 4th, 8th ...
  /// of them.
  //= RFC 9000 section 10.2.1
  //# An endpoint SHOULD limit the rate at which it generates packets in the closing state.
  void on_packet_received(std::size_t size) noexcept {
    received_bytes_ += size;
    if (++received_ < answer_at_) return;
    //= RFC 9000 section 10.2.1
    //# such endpoints MUST limit the cumulative size of packets it sends to three times the
    //# cumulative size of the packets that are received and attributed to the connection.
    // Nothing is opened any more, so anybody who has seen the connection ID can ask for answers.
    if (answered_bytes_ + packet_size_ > limits::amplification_factor * received_bytes_) return;
    answer_at_ = 2 * received_;
    pending_ = answering_ = true;
  }

 private:
  std::optional<close_reason> reason_;
  std::uint64_t received_ = 0;
  std::uint64_t answer_at_ = 1;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t answered_bytes_ = 0;
  std::uint64_t packet_size_ = 0;
  bool pending_ = false;
  bool answering_ = false;  ///< What is sent from now on was asked for by a datagram.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
