// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::transport {
inline namespace v0 {

/// Writes into memory it was given, and never past it: the first write that does not fit makes the
/// failure sticky, and nothing is written from then on. Write everything, then ask ok() once.
class buffer_writer {
 public:
  explicit buffer_writer(mutable_bytes output) noexcept
      : begin_(output.data()), cursor_(output.data()), end_(output.data() + output.size()) {}

  bool ok() const noexcept { return !failed_; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(cursor_ - begin_); }
  std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - cursor_); }
  mutable_bytes written() const noexcept { return {begin_, size()}; }
  /// The memory after what has been written, for filling in place; then advance().
  mutable_bytes free_space() const noexcept { return {cursor_, remaining()}; }
  void advance(std::size_t size) noexcept {
    if (claim(size)) cursor_ += size;
  }
  void fail() noexcept { failed_ = true, end_ = cursor_; }

  void u8(std::uint8_t value) noexcept { fixed(value, 1); }
  void u16(std::uint16_t value) noexcept { fixed(value, 2); }
  void u32(std::uint32_t value) noexcept { fixed(value, 4); }
  void u64(std::uint64_t value) noexcept { fixed(value, 8); }
  /// The low `size` bytes of `value`, big-endian; `size` is 1 to 8.
  void fixed(std::uint64_t value, std::size_t size) noexcept {
    if (!claim(size)) return;
    for (std::size_t i = 0; i < size; ++i)
      cursor_[i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
    cursor_ += size;
  }
  /// The shortest variable-length integer; `value` beyond varint_max is a failure.
  void varint(std::uint64_t value) noexcept {
    varint(value, value > varint_max ? 0 : varint_size(value));
  }
  /// A variable-length integer in exactly `size` bytes (1, 2, 4, 8), which `value` must fit.
  void varint(std::uint64_t value, std::size_t size) noexcept {
    if (size == 0 || value > varint_max || varint_size(value) > size) return fail();
    if (!claim(size)) return;
    encode_varint(value, size, cursor_);
    cursor_ += size;
  }
  void put(bytes data) noexcept {
    if (!claim(data.size())) return;
    copy_bytes(cursor_, data);
    cursor_ += data.size();
  }
  void put_varint_prefixed(bytes data) noexcept {
    varint(data.size());
    put(data);
  }
  void zeros(std::size_t size) noexcept {
    if (!claim(size)) return;
    if (size != 0) std::memset(cursor_, 0, size);
    cursor_ += size;
  }

 private:
  bool claim(std::size_t size) noexcept {
    if (failed_ || remaining() < size) return fail(), false;
    return true;
  }

  std::byte* begin_;
  std::byte* cursor_;
  std::byte* end_;
  bool failed_ = false;
};

}  // namespace v0
}  // namespace strata::transport
