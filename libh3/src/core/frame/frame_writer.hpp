// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/frame/frame_type.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// `value` must be at most varint_max.
inline void append_varint(std::vector<std::byte>& out, std::uint64_t value) {
  std::byte memory[8];
  const std::size_t size = transport::varint_size(value);
  transport::encode_varint(value, size, memory);
  out.insert(out.end(), memory, memory + size);
}

inline void append_frame_header(std::vector<std::byte>& out, frame_type type,
                                std::uint64_t length) {
  append_varint(out, static_cast<std::uint64_t>(type));
  append_varint(out, length);
}

//= RFC 9114 section 7.1
//# Each frame's payload MUST contain exactly the fields identified in its description.
/// GOAWAY, CANCEL_PUSH or MAX_PUSH_ID.
inline void append_varint_frame(std::vector<std::byte>& out, frame_type type, std::uint64_t value) {
  append_frame_header(out, type, transport::varint_size(value));
  append_varint(out, value);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
