// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

#include "core/frame/frame_type.hpp"
#include "strata/h3/core/error.hpp"
#include "strata/h3/core/role.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

enum class frame_stream : std::uint8_t { control, request, push };

/// What is to be done with a frame whose header has been read, from where it came alone. The order
/// of frames on the stream is checked afterwards.
struct frame_rule {
  enum class verdict_type : std::uint8_t {
    take,    ///< The frame means something here.
    skip,    ///< An unknown type: its payload is dropped as it comes (RFC 9114 section 9).
    refuse,  ///< A connection error of `error`.
  };
  verdict_type verdict = verdict_type::skip;
  error_code error = error_code::no_error;
  /// The largest payload; beyond it the frame is a connection error of H3_FRAME_ERROR, or for
  /// SETTINGS H3_EXCESSIVE_LOAD.
  std::uint64_t max_length = std::numeric_limits<std::uint64_t>::max();
};

/// The rule for a frame that `receiver` finds on a stream of this kind (RFC 9114 table 1 and
/// section 7.2). The same table, asked for the peer's role, says what may be sent.
frame_rule rule_for_frame(std::uint64_t type, frame_stream stream, role receiver) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
