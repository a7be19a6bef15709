// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/frame/varint_reader.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// Cuts a stream of frames (RFC 9114 section 7.1) into headers and payload, whatever the pieces it
/// comes in. It stores nothing but the two integers of a header; payload is the owner's to take or
/// drop:
///
///   while (true) {
///     if (!reader.in_payload()) { if (!reader.read_header(input)) break;  /* type(), remaining()
///     */ }
///     ... take up to remaining() bytes of the input, then took(n); at zero the next header follows
///   }
class frame_reader {
 public:
  /// Reads on in a frame header, off the front of `input`. True: it is whole, and in_payload()
  /// holds, also when the payload is empty.
  bool read_header(transport::bytes& input) noexcept {
    if (part_ == part::type) {
      if (!number_.read(input)) return false;
      type_ = number_.value();
      part_ = part::length;
    }
    if (!number_.read(input)) return false;
    remaining_ = number_.value();
    part_ = part::payload;
    return true;
  }

  bool in_payload() const noexcept { return part_ == part::payload; }
  std::uint64_t type() const noexcept { return type_; }
  /// Bytes of payload not yet taken.
  std::uint64_t remaining() const noexcept { return remaining_; }
  /// What of `input` belongs to this frame's payload.
  transport::bytes payload_of(transport::bytes input) const noexcept {
    return input.first(static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), remaining_)));
  }
  /// `size` bytes of payload are done with. With the last one the frame ends; call it with 0 for an
  /// empty frame.
  void took(std::size_t size) noexcept {
    remaining_ -= size;
    if (remaining_ == 0) part_ = part::type;
  }
  /// A stream may end here: no frame is cut short.
  bool between_frames() const noexcept { return part_ == part::type && !number_.begun(); }

 private:
  enum class part : std::uint8_t { type, length, payload };

  std::uint64_t type_ = 0;
  std::uint64_t remaining_ = 0;
  varint_reader number_;
  part part_ = part::type;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
