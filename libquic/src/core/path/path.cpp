// SPDX-License-Identifier: Apache-2.0
#include "core/path/path.hpp"

#include <algorithm>

#include "core/wire/frame.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

std::uint64_t path::allowance() const noexcept {
  if (validated_) return UINT64_MAX;
  //= RFC 9000 section 8
  //# Therefore, after receiving packets from an address that is not yet validated, an endpoint MUST
  //# limit the amount of data it sends to the unvalidated address to three times the amount of data
  //# received from that address.
  //= RFC 9000 section 14.1
  //# The server MUST also limit the number of bytes it sends before validating the address of the
  //# client.
  const std::uint64_t limit = limits::amplification_factor * received_;
  return limit > sent_ ? limit - sent_ : 0;
}

void path::on_challenge(const path_challenge& challenge) noexcept {
  if (responses_ == challenges_.size()) {
    std::shift_left(challenges_.begin(), challenges_.end(), 1);
    --responses_;
  }
  challenges_[responses_++] = challenge;
}

void path::write_responses(packet_payload& payload) {
  std::size_t written = 0;
  while (written < responses_) {
    const path_response_frame response{challenges_[written]};
    if (payload.remaining() < encoded_size(response)) break;
    //= RFC 9000 section 8.2.2
    //# On receiving a PATH_CHALLENGE frame, an endpoint MUST respond by echoing the data contained in
    //# the PATH_CHALLENGE frame in a PATH_RESPONSE frame.
    encode(response, payload.writer);
    payload.frames.push_back({.what = sent_frame::kind::path_response});
    //= RFC 9000 section 8.2.2
    //# An endpoint MUST NOT send more than one PATH_RESPONSE frame in response to one
    //# PATH_CHALLENGE frame.
    ++written;
  }
  std::shift_left(challenges_.begin(), challenges_.end(), static_cast<std::ptrdiff_t>(written));
  responses_ = static_cast<std::uint8_t>(responses_ - written);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
