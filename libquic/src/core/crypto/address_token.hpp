// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "strata/quic/core/connection_id.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// What a valid token says.
struct address_token {
  enum class purpose : std::uint8_t { retry, new_token };
  purpose kind = purpose::retry;
  /// Only of a Retry token: the client's first Destination Connection ID.
  connection_id original_destination;
  /// Only of a Retry token: the Source Connection ID of the Retry packet.
  connection_id retry_source;
};

/// Mints and checks what an endpoint hands out without keeping state: address validation tokens
/// (RFC 9000 section 8.1) and stateless reset tokens (section 10.3.2). Servers that share the
/// 32-byte key accept each other's.
///
/// Tokens are sealed with an AEAD: nobody else can read, make or change one. They bind the client's
/// IP address (its port too for Retry) and a time of issue.
class token_issuer {
 public:
  /// `static_key` is 32 bytes; empty draws a random one, and a restart then invalidates everything
  /// handed out.
  token_issuer(transport::bytes static_key, transport::random_source& random,
               transport::wall_clock& clock);
  ~token_issuer();
  token_issuer(const token_issuer&) = delete;
  token_issuer& operator=(const token_issuer&) = delete;

  /// At most limits::max_token_size bytes; empty when the TLS library fails, and then there is
  /// nothing to send.
  std::vector<std::byte> mint_retry(const transport::address& remote,
                                    const connection_id& original_destination,
                                    const connection_id& retry_source);
  std::vector<std::byte> mint_new_token(const transport::address& remote);
  /// Nothing for a token that is not ours, damaged, of another address, or older than the limits
  /// allow. `looks_like_retry` is then true for one that says it came in a Retry packet: a client
  /// accepts no second one, so RFC 9000 section 8.1.2 wants INVALID_TOKEN for it. All else is to be
  /// treated as no token.
  std::optional<address_token> check(transport::bytes token, const transport::address& remote,
                                     bool& looks_like_retry);

  /// The same for the same ID and key, for ever (RFC 9000 section 10.3.2).
  stateless_reset_token reset_token(const connection_id& id) const;

 private:
  struct keys;
  std::unique_ptr<keys> keys_;
  transport::random_source& random_;
  transport::wall_clock& clock_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
