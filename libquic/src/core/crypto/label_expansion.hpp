// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "core/crypto/openssl_handles.hpp"
#include "strata/quic/core/tls_backend.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// HKDF-Expand-Label of TLS 1.3 with an empty context (RFC 8446 section 7.1), with the hash of
/// `cipher`, for several labels of one secret: to set HMAC's key costs as much as to use it.
class label_expansion {
 public:
  /// `secret` must live as long.
  label_expansion(cipher_suite cipher, bytes secret) noexcept;
  /// False only when the TLS library fails.
  bool operator()(std::string_view label, mutable_bytes out) const noexcept;

 private:
  cipher_suite cipher_;
  bytes secret_;
  mac_context_handle keyed_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
