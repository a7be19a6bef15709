// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/recovery/sent_frame.hpp"
#include "strata/transport/core/buffer_writer.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The payload of the packet being built. Whoever has something to send writes whole frames at the
/// writer's end, as far as they fit in remaining(), and notes each that matters in `frames`; both
/// belong to the packet builder and are reused.
struct packet_payload {
  transport::buffer_writer& writer;
  std::vector<sent_frame>& frames;

  std::size_t remaining() const noexcept { return writer.remaining(); }
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
