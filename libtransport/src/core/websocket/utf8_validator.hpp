// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/bytes.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// UTF-8 (RFC 3629) in pieces cut anywhere, within a character too: no overlong form, no surrogate,
/// nothing beyond U+10FFFF. Wrong bytes are found as soon as no continuation could mend them.
class utf8_validator {
 public:
  /// False once the text cannot be UTF-8 any more; then it is false for ever.
  bool add(bytes text) noexcept;
  /// Whether the text may end here.
  bool is_complete() const noexcept { return needed_ == 0; }

 private:
  bool begin(std::uint8_t octet) noexcept;
  bool expect(std::uint8_t needed, std::uint8_t low, std::uint8_t high) noexcept;

  std::uint8_t needed_ = 0;  // continuation bytes of the character that has begun
  std::uint8_t low_ = 0x80;  // what the next of them may be
  std::uint8_t high_ = 0xbf;
};

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
