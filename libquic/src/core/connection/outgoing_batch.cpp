// SPDX-License-Identifier: Apache-2.0
#include "core/connection/outgoing_batch.hpp"

#include "core/wire/packet_header.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

void outgoing_batch::apply(packet_protection& keys) noexcept {
  if (count_ == 0) return;
  keys.header_masks(std::span(samples_).first(count_), std::span(masks_).first(count_));
  for (std::size_t i = 0; i < count_; ++i) {
    apply_header_mask(packets_[i], number_offset_, packet_number_size_of(packets_[i][0]),
                      masks_[i]);
  }
  count_ = 0;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
