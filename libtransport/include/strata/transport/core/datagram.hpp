// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::transport {
inline namespace v0 {

/// The two ECN bits of an IP header (RFC 3168), by their wire values.
enum class ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

/// What one recvmsg yields: datagrams of `stride` bytes one after the other, of which the last may
/// be shorter (UDP GRO). A single datagram has stride == payload.size(). The memory is lent: cores
/// may decrypt in place, and must be done with it when release_input() returns.
struct datagram_batch {
  mutable_bytes payload;
  std::uint16_t stride = 0;
  ecn mark = ecn::not_ect;
  address remote;
  address local;  ///< The address it was sent to; its port is the socket's. Empty when the system
                  ///< cannot tell.
};

/// What one sendmsg takes: `size` bytes to be cut into datagrams of `segment` bytes, the last may
/// be shorter (UDP GSO). size <= 65,507 and at most 64 segments, or the system refuses it with
/// EMSGSIZE.
struct transmit {
  std::uint32_t size = 0;
  std::uint16_t segment = 0;
  ecn mark = ecn::not_ect;
  address remote;
  address local;  ///< The source to send from; empty lets the system choose.
};

}  // namespace v0
}  // namespace strata::transport
