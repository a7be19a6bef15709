// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace strata::transport {
inline namespace v0 {

using bytes = std::span<const std::byte>;
using mutable_bytes = std::span<std::byte>;

/// The bytes of a string, not copied: valid as long as the string.
inline bytes as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

/// The text in some bytes, not copied and not checked: valid as long as the bytes.
inline std::string_view as_text(bytes data) noexcept {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

/// Copies bytes that do not overlap; spans may be empty, whose pointers memcpy must not see. It is
/// memmove because GCC, where it knows a bound of the size, puts `rep movsq` in the place of
/// memcpy: a multiple of the cost for a packet.
inline void copy_bytes(std::byte* to, bytes from) noexcept {
  if (!from.empty()) std::memmove(to, from.data(), from.size());
}

inline bool equal_bytes(bytes a, bytes b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace v0
}  // namespace strata::transport
