// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// A variable-length integer that may come one byte at a time. Encodings longer than needed are
/// legal.
class varint_reader {
 public:
  /// Takes bytes off the front of `input`; true when the value is whole.
  bool read(transport::bytes& input) noexcept {
    if (missing_ == 0) {
      if (input.empty()) return false;
      const std::size_t size = transport::varint_size_from_first_byte(input.front());
      value_ = std::to_integer<std::uint64_t>(input.front()) & 0x3f;
      input = input.subspan(1);
      if (size == 1) return true;
      missing_ = static_cast<std::uint8_t>(size - 1);
    }
    while (missing_ != 0 && !input.empty()) {
      value_ = value_ << 8 | std::to_integer<std::uint64_t>(input.front());
      input = input.subspan(1);
      --missing_;
    }
    return missing_ == 0;
  }

  /// The value, after read() said true; the next read() begins another.
  std::uint64_t value() const noexcept { return value_; }
  /// Some but not all bytes have come.
  bool begun() const noexcept { return missing_ != 0; }

 private:
  std::uint64_t value_ = 0;
  std::uint8_t missing_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
