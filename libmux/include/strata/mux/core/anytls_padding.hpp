// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "strata/mux/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// How the first packets of a client are cut into records and filled up: text that a server may
/// push, such as
///
///     stop=3
///     0=30-30
///     1=100-400
///     2=400-500,c,500-1000
///
/// Packet 0 is the authentication, whose one range is the size of its padding; the others are what
/// the client sends until `stop`. A range is the size of a record before encryption, drawn anew
/// each time from [min, max); `c` ends the packet there if nothing is left to be sent.
///
/// Immutable, and cheap to copy: copies share it.
class STRATA_MUX_API anytls_padding_scheme {
 public:
  /// In draw(): a record of this size is no record but the mark `c`.
  static constexpr std::uint32_t check_mark = 0;

  /// What every implementation begins with until a server says otherwise.
  static const anytls_padding_scheme& standard();
  /// errc::malformed without a `stop` of 1 to limits::anytls::max_padded_packets, limit_exceeded
  /// beyond the other limits: such a scheme would be a lever to make a client send without end.
  /// Ranges that are none, and lines of no meaning, are left out, as by everybody. not_supported
  /// where MD5 is.
  static transport::result<anytls_padding_scheme> parse(transport::bytes text);

  /// The text, to the byte: its MD5 is the name of the scheme.
  std::string_view text() const noexcept;
  /// In lower-case hexadecimal digits.
  std::string_view md5() const noexcept;
  /// Packets from this one on are sent as they are.
  std::uint32_t stop() const noexcept;
  /// The records of one packet, sizes drawn and marks in between, into `out`, which is emptied
  /// first. Empty: it is sent as it is.
  void draw(std::uint32_t packet, transport::random_source& random,
            std::vector<std::uint32_t>& out) const;

  friend bool operator==(const anytls_padding_scheme& a, const anytls_padding_scheme& b) noexcept {
    return a.text() == b.text();
  }

 private:
  struct content;
  explicit anytls_padding_scheme(std::shared_ptr<const content> shared) noexcept;

  std::shared_ptr<const content> shared_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
