// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/post_handshake_filter.hpp"

#include <algorithm>

#include "core/crypto/tls_alert.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

// RFC 8446 appendix B.3.
constexpr std::uint8_t new_session_ticket = 4;
constexpr std::uint8_t certificate_request = 13;
constexpr std::uint8_t key_update = 24;

}  // namespace

std::optional<tls_failure> post_handshake_filter::judge(std::uint8_t message_type) const {
  if (message_type == new_session_ticket && client_) return std::nullopt;
  tls_failure failure{.alert = tls_alert::unexpected_message,
                      .reason = "TLS message after the handshake that QUIC does not allow"};
  //= RFC 9001 section 6
  //# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a connection error of type
  //# 0x010a, equivalent to a fatal TLS alert of unexpected_message; see Section 4.8.
  if (message_type == key_update)
    failure.reason = "TLS KeyUpdate, which QUIC replaces with its own";
  //= RFC 9001 section 4.4
  //# More specifically,
  //# servers MUST NOT send post-handshake TLS CertificateRequest messages, and
  //# clients MUST treat receipt of such messages as a connection error of type
  //# PROTOCOL_VIOLATION.
  if (message_type == certificate_request && client_) {
    failure.protocol_violation = true;
    failure.reason = "CertificateRequest after the handshake";
  }
  return failure;
}

std::optional<tls_failure> post_handshake_filter::check(bytes input) {
  while (!input.empty()) {
    if (body_left_ != 0) {
      const std::size_t skipped = std::min(body_left_, input.size());
      body_left_ -= skipped;
      input = input.subspan(skipped);
      continue;
    }
    header_[header_size_++] = input.front();
    input = input.subspan(1);
    if (header_size_ == 1) {
      if (auto failure = judge(std::to_integer<std::uint8_t>(header_[0]))) return failure;
    }
    if (header_size_ < header_.size()) continue;
    header_size_ = 0;
    body_left_ = std::to_integer<std::size_t>(header_[1]) << 16 |
                 std::to_integer<std::size_t>(header_[2]) << 8 |
                 std::to_integer<std::size_t>(header_[3]);
  }
  return std::nullopt;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
