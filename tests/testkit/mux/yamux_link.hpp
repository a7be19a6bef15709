// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "strata/mux/core/yamux_config.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::testkit {

/// One transfer from a client to a server, in virtual time, over a carrier that never loses
/// anything: what holds it up is the link, or the windows of the sessions.
struct link_transfer {
  double bits_per_second = 10e9;
  std::chrono::milliseconds round_trip{60};
  /// What the carrier takes before it is read at the other end.
  std::size_t carrier_window = 64 * 1024 * 1024;
  std::uint64_t bytes = 256 * 1024 * 1024;  ///< Of all streams together.
  std::size_t streams = 1;
  mux::core::yamux_config config{};  ///< Of both ends but for the role.
};

struct link_outcome {
  std::uint64_t received = 0;
  transport::duration took{};       ///< From the first byte sent to the last one read.
  transport::duration last_half{};  ///< The part of it for the last half of the bytes.
  transport::duration measured_round_trip{};
};

/// Throws std::logic_error when the transfer comes to a halt.
link_outcome run_link(const link_transfer& made);

}  // namespace strata::testkit
