// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// Frame types of RFC 9114 section 7.2; any other 62-bit value is an unknown frame.
enum class frame_type : std::uint64_t {
  data = 0x00,
  headers = 0x01,
  cancel_push = 0x03,
  settings = 0x04,
  push_promise = 0x05,
  goaway = 0x07,
  max_push_id = 0x0d,
};

/// The first varint of a unidirectional stream (RFC 9114 section 6.2, RFC 9204 section 4.2).
enum class stream_type : std::uint64_t {
  control = 0x00,
  push = 0x01,
  qpack_encoder = 0x02,
  qpack_decoder = 0x03
};

/// The `number`-th identifier that means nothing, for frames, streams, settings and errors alike
/// (RFC 9114 section 7.2.8).
constexpr std::uint64_t grease_id(std::uint64_t number) noexcept { return 0x1f * number + 0x21; }

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
