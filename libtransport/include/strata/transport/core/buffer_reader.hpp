// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::transport {
inline namespace v0 {

/// A cursor over bytes whose failure is sticky: read every field in wire order, then ask ok() once.
/// After a failure every read gives zeros and empty views, and nothing is consumed. Views it
/// returns point into the input.
class buffer_reader {
 public:
  buffer_reader() = default;
  explicit buffer_reader(bytes input) noexcept
      : cursor_(input.data()), end_(input.data() + input.size()) {}

  bool ok() const noexcept { return !failed_; }
  bool empty() const noexcept { return cursor_ == end_; }
  std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - cursor_); }
  /// What has not been read; empty after a failure.
  bytes rest() const noexcept { return {cursor_, remaining()}; }
  void fail() noexcept {
    failed_ = true;
    cursor_ = end_;
  }

  std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(fixed(1)); }
  std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(fixed(2)); }
  std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(fixed(4)); }
  std::uint64_t u64() noexcept { return fixed(8); }
  /// Big-endian integer of 1 to 8 bytes.
  std::uint64_t fixed(std::size_t size) noexcept {
    if (remaining() < size) return fail(), 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | std::to_integer<std::uint64_t>(cursor_[i]);
    cursor_ += size;
    return value;
  }
  /// A variable-length integer (RFC 9000 section 16); every length of encoding is accepted.
  std::uint64_t varint() noexcept {
    if (empty()) return fail(), 0;
    const std::size_t size = varint_size_from_first_byte(*cursor_);
    if (size == 1) return std::to_integer<std::uint64_t>(*cursor_++);
    const std::uint64_t raw = fixed(size);
    return raw & ((std::uint64_t{1} << (8 * size - 2)) - 1);
  }
  bytes take(std::uint64_t size) noexcept {
    if (remaining() < size) return fail(), bytes{};
    const bytes view{cursor_, static_cast<std::size_t>(size)};
    cursor_ += size;
    return view;
  }
  /// A varint length, then as many bytes.
  bytes take_varint_prefixed() noexcept { return take(varint()); }
  void skip(std::uint64_t size) noexcept { take(size); }
  /// The next byte without consuming it; zero when there is none (not a failure).
  std::uint8_t peek_u8() const noexcept {
    return empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(*cursor_);
  }

 private:
  const std::byte* cursor_ = nullptr;
  const std::byte* end_ = nullptr;
  bool failed_ = false;
};

}  // namespace v0
}  // namespace strata::transport
