// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/recovery/ack_tracker.hpp"
#include "strata/quic/core/encryption_level.hpp"
#include "strata/transport/core/datagram.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Whether a path carries ECN marks and the peer reports them (RFC 9000 section 13.4.2 and appendix
/// A.4). A path that fails loses its marks, never its connection.
class ecn_validator {
 public:
  enum class state : std::uint8_t { testing, unknown, capable, failed };

  /// What an ACK frame said, next to what settled_packets says of it.
  struct feedback {
    packet_number_space space = packet_number_space::initial;
    std::uint64_t acknowledged_marked = 0;  ///< Newly acknowledged packets that were sent marked.
    bool largest_increased = false;
    std::optional<ecn_counts> counts;  ///< Nothing when the frame had none.
  };

  /// The mark for the next datagram.
  transport::ecn mark() const noexcept;
  void on_packet_sent(packet_number_space) noexcept;  ///< A packet whose datagram is marked.
  void on_packets_lost(std::uint64_t marked) noexcept;
  /// True when more packets were marked as having met congestion.
  bool on_ack(const feedback&) noexcept;
  state current() const noexcept { return state_; }

 private:
  bool plausible(const feedback&) const noexcept;

  struct space_counts {
    ecn_counts reported;
    std::uint64_t sent = 0;
  };
  std::array<space_counts, packet_number_space_count> spaces_{};
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  state state_ = state::testing;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
