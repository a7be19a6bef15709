// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>

#include "strata/quic/core/tls_backend.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Looks at the TLS messages that arrive after the handshake, before the TLS library does: of those
/// that TLS 1.3 knows, QUIC leaves only NewSessionTicket, and only to clients.
class post_handshake_filter {
 public:
  /// Of a server no message at all is accepted.
  explicit post_handshake_filter(bool client) noexcept : client_(client) {}

  /// Bytes in order, cut anywhere; a failure for the first that must not be there.
  std::optional<tls_failure> check(bytes input);

 private:
  std::optional<tls_failure> judge(std::uint8_t message_type) const;

  bool client_;
  std::size_t header_size_ = 0;  ///< Bytes of the header seen.
  std::array<std::byte, 4> header_{};
  std::size_t body_left_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
