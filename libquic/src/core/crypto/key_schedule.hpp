// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "core/crypto/packet_protection.hpp"
#include "strata/quic/core/connection_id.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// HKDF-Expand-Label of TLS 1.3 with an empty context (RFC 8446 section 7.1), with the hash of
/// `cipher`. False only when the TLS library fails.
bool expand_label(cipher_suite cipher, bytes secret, std::string_view label, mutable_bytes out);

struct initial_protection {
  packet_protection client;  ///< What the client seals with and the server opens with.
  packet_protection server;
};

/// Initial keys, which anybody can derive from the first Destination Connection ID (RFC 9001
/// section 5.2). `null` gives the keys of the null cipher instead.
result<initial_protection> derive_initial_protection(const connection_id& client_destination,
                                                     bool null);

/// The secret of the next key phase (RFC 9001 section 6.1).
result<traffic_secret> next_phase_secret(const traffic_secret& current);

/// The tag that ends a Retry packet (RFC 9001 section 5.8). `retry` is the packet without the tag.
result<std::array<std::byte, aead_tag_size>> retry_integrity_tag(
    const connection_id& original_destination, bytes retry);

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
