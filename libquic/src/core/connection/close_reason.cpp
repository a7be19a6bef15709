// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string_view>

#include "strata/quic/core/error.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace {

using transport::errc;

constexpr std::array<std::string_view, 17> transport_error_names{"NO_ERROR",
                                                                 "INTERNAL_ERROR",
                                                                 "CONNECTION_REFUSED",
                                                                 "FLOW_CONTROL_ERROR",
                                                                 "STREAM_LIMIT_ERROR",
                                                                 "STREAM_STATE_ERROR",
                                                                 "FINAL_SIZE_ERROR",
                                                                 "FRAME_ENCODING_ERROR",
                                                                 "TRANSPORT_PARAMETER_ERROR",
                                                                 "CONNECTION_ID_LIMIT_ERROR",
                                                                 "PROTOCOL_VIOLATION",
                                                                 "INVALID_TOKEN",
                                                                 "APPLICATION_ERROR",
                                                                 "CRYPTO_BUFFER_EXCEEDED",
                                                                 "KEY_UPDATE_ERROR",
                                                                 "AEAD_LIMIT_REACHED",
                                                                 "NO_VIABLE_PATH"};

std::string hexadecimal(std::uint64_t value) {
  std::string digits;
  do digits.insert(digits.begin(), "0123456789abcdef"[value & 15]);
  while (value >>= 4);
  return "0x" + digits;
}

constexpr std::uint64_t ech_required = 0x100 + 121;  // RFC 9849 section 11.2.

bool is_tls_alert(std::uint64_t code) { return code >= 0x100 && code <= 0x1ff; }

/// bad_certificate, unsupported_certificate, certificate_revoked, certificate_expired,
/// certificate_unknown, unknown_ca (RFC 8446 section 6.2): what is sent when the peer's certificate
/// is not believed.
bool is_certificate_alert(std::uint64_t code) {
  return (code >= 0x100 + 42 && code <= 0x100 + 46) || code == 0x100 + 48;
}

std::string transport_code_name(std::uint64_t code) {
  if (code < transport_error_names.size()) return std::string(transport_error_names[code]);
  if (is_tls_alert(code)) return "CRYPTO_ERROR, TLS alert " + std::to_string(code - 0x100);
  return hexadecimal(code);
}

/// A peer's text may carry terminal control sequences: only printable ASCII passes unescaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= 0x20 && octet < 0x7f && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += "0123456789abcdef"[octet >> 4];
      out += "0123456789abcdef"[octet & 15];
    }
  }
  return out;
}

}  // namespace

std::error_code close_reason::code_for_operations() const noexcept {
  switch (origin) {
    case origin_kind::local_application: return errc::closed;
    case origin_kind::local_transport:
      if (is_certificate_alert(code)) return errc::certificate_rejected;
      if (code == ech_required) return errc::ech_rejected;
      return is_tls_alert(code) ? errc::tls_failed : errc::protocol_error;
    case origin_kind::peer_application:
    case origin_kind::stateless_reset: return errc::closed_by_peer;
    case origin_kind::peer_transport:
      if (is_tls_alert(code)) return errc::tls_failed;
      return code == static_cast<std::uint64_t>(transport_error::connection_refused)
                 ? errc::refused
                 : errc::closed_by_peer;
    case origin_kind::idle_timeout:
    case origin_kind::handshake_timeout: return errc::timed_out;
    case origin_kind::version_negotiation: return errc::not_supported;
    case origin_kind::network: return errc::unreachable;
  }
  return errc::closed;
}

std::string close_reason::describe() const {
  std::string out;
  switch (origin) {
    case origin_kind::local_application:
      out = "closed here with application code " + hexadecimal(code);
      break;
    case origin_kind::local_transport: out = "closed here: " + transport_code_name(code); break;
    case origin_kind::peer_application:
      out = "closed by the peer with application code " + hexadecimal(code);
      break;
    case origin_kind::peer_transport:
      out = "closed by the peer: " + transport_code_name(code);
      break;
    case origin_kind::idle_timeout: out = "idle timeout"; break;
    case origin_kind::handshake_timeout: out = "handshake timeout"; break;
    case origin_kind::stateless_reset: out = "stateless reset by the peer"; break;
    case origin_kind::version_negotiation: out = "no common QUIC version"; break;
    case origin_kind::network: out = "network failure"; break;
  }
  if (!reason.empty()) out += ": " + escaped(reason);
  return out;
}

}  // namespace v0
}  // namespace strata::quic
