// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/close_reason.hpp"

#include <fmt/format.h>

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
  std::string out = fmt::format("{}, code {}", who(origin), code);
  if (cause) out += fmt::format(" ({})", cause.message());
  if (reason.empty()) return out;
  out += ": ";
  // Terminals and logs must not be written to by a peer.
  for (const char each : reason) {
    const auto value = static_cast<unsigned char>(each);
    if (value >= 0x20 && value != 0x7f && value < 0x80) {
      out += each;
    } else {
      out += fmt::format("\\x{:02x}", value);
    }
  }
  return out;
}

}  // namespace v0
}  // namespace strata::transport
