// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/close_reason.hpp"

#include <string_view>

namespace strata::transport {
inline namespace v0 {
namespace {

const char* who(close_reason::origin_kind origin) noexcept {
  using kind = close_reason::origin_kind;
  switch (origin) {
    case kind::local_application: return "closed here";
    case kind::local_protocol: return "the peer broke the protocol";
    case kind::peer_application: return "closed by the peer";
    case kind::peer_protocol: return "ended by the peer's protocol";
    case kind::timed_out: return "timed out";
    case kind::carrier: return "the carrier is gone";
  }
  return "closed";
}

}  // namespace

std::string close_reason::describe() const {
  std::string out = std::string(who(origin)) + ", code " + std::to_string(code);
  if (cause) out += " (" + cause.message() + ")";
  if (reason.empty()) return out;
  out += ": ";
  // Terminals and logs must not be written to by a peer.
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char each : reason) {
    const auto value = static_cast<unsigned char>(each);
    if (value >= 0x20 && value < 0x7f) {
      out += each;
    } else {
      out += "\\x";
      out += digits[value >> 4];
      out += digits[value & 15];
    }
  }
  return out;
}

}  // namespace v0
}  // namespace strata::transport
