// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <vector>

#include "core/connection/outgoing_batch.hpp"
#include "core/recovery/sent_frame.hpp"
#include "core/wire/ack_range.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Memory that a connection needs only during a call: one for all connections of an endpoint, so
/// that an idle connection weighs little and the memory in use stays warm.
struct workspace {
  outgoing_batch batch;
  std::vector<sent_frame> frames;     ///< Of the packet being built.
  std::vector<ack_range> ack_ranges;  ///< Of the ACK frame being received.
  std::array<const std::byte*, limits::max_batch_segments> samples{};
  std::array<header_mask, limits::max_batch_segments> masks{};
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
