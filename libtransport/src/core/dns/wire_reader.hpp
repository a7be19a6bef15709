// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/dns_name.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {

/// A cursor over a message that knows where in it it stands, since names may point back. The first
/// failure is sticky and says why.
class wire_reader {
 public:
  explicit wire_reader(bytes message) noexcept : message_(message), end_(message.size()) {}

  bool ok() const noexcept { return problem_ == nullptr; }
  /// Static text; null while all is right.
  const char* problem() const noexcept { return problem_; }
  std::size_t offset() const noexcept { return at_; }
  std::size_t remaining() const noexcept { return end_ - at_; }
  bool empty() const noexcept { return at_ == end_; }

  std::uint8_t u8() noexcept;
  std::uint16_t u16() noexcept;
  std::uint32_t u32() noexcept;
  bytes take(std::size_t size) noexcept;
  bytes rest() noexcept { return take(remaining()); }
  /// Of the next `size` octets, for the content of a record; names in it still point into all of
  /// the message. This one goes on after them.
  wire_reader part(std::size_t size) noexcept;
  /// RFC 1035 section 4.1.4. Each pointer leads to before the labels that it follows, and their
  /// number is bounded: no name is read in a circle or a long way for nothing.
  dns_name name();
  /// A name that must stand there in full.
  dns_name name_in_full();

 private:
  dns_name read_name(bool pointers);
  void fail(const char* why) noexcept;

  bytes message_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
