// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "strata/transport/core/clock.hpp"

namespace strata::testkit {

using transport::duration;
using transport::time_point;

/// What one direction between two nodes does to datagrams. Chances are in [0, 1] and drawn for each
/// datagram; instants are counted from the start of the network. The defaults do nothing.
struct conditions {
  duration delay{0};   ///< One way.
  duration jitter{0};  ///< Up to this much more, without changing the order.

  double loss = 0;  ///< Independent losses.
  double burst_begins =
      0;                  ///< Gilbert's model: the chance that a datagram begins a burst, in which
  double burst_ends = 1;  ///< every datagram is lost, until this chance ends it.
  std::uint32_t max_in_a_row =
      0;  ///< After so many losses, or corruptions, in a row one passes. 0: no such rule.

  double reorder = 0;  ///< The chance to be held back, up to `held_back`, and overtaken meanwhile.
  duration held_back{0};
  double duplicate = 0;  ///< The copy comes up to `jitter` and a millisecond later.
  double corrupt = 0;    ///< Delivered with a bit flipped, cut short, or with bytes appended.

  std::uint64_t rate = 0;   ///< Bits per second, IP and UDP headers included. 0: no limit.
  std::uint32_t queue = 0;  ///< Datagrams that wait for the link; more are dropped. 0: no limit.
  std::uint32_t max_payload = 65'507;  ///< Larger UDP payloads vanish.
  bool report_too_large =
      false;  ///< They are reported to the sender instead, as its own interface does.

  double bleach = 0;      ///< The ECN mark is cleared.
  double congestion = 0;  ///< A datagram marked ECT becomes CE.
  double mangle = 0;      ///< The mark is replaced by any of the four.
  std::uint32_t mark_above =
      0;  ///< ECT becomes CE while at least so many datagrams wait. 0: never.

  double send_error =
      0;  ///< The chance that a send fails with would_block, unreachable or refused.

  struct window {
    duration begin, end;
  };
  std::vector<window> outages;  ///< Nothing passes. One direction alone makes a one-way partition.

  struct size_change {
    duration at;
    std::uint32_t max_payload;
  };
  std::vector<size_change> size_changes;  ///< In order of time.

  std::vector<std::uint64_t> masked;  ///< These datagrams are dropped, counted from 1; ascending.

  /// A swarm draw: each fault is on or off by the toss of a coin, then its rate is drawn.
  /// Everything follows from the seed.
  static conditions from_seed(std::uint64_t seed);
  /// No fault, and a delay: for the last phase of a run, in which everything has to converge.
  static conditions calm(duration delay = std::chrono::milliseconds(10));
};

/// When the address that others see of a node changes: port only, or the IP too.
struct nat_conditions {
  duration first{0};  ///< Since the start of the network.
  duration every{0};  ///< 0: never.
  bool new_ip = false;

  static nat_conditions from_seed(std::uint64_t seed);
};

}  // namespace strata::testkit
