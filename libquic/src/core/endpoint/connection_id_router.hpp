// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "strata/quic/core/connection_id.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Which connection a packet belongs to, by its Destination Connection ID, and which a stateless
/// reset speaks of, by its token. Keys are hashed with a secret: clients choose the first
/// Destination Connection ID, and could otherwise fill one bucket.
class connection_id_router {
 public:
  /// Of a stateless reset that can pass for a packet (RFC 9000 section 10.3).
  static constexpr std::size_t least_reset_size = 21;

  explicit connection_id_router(std::uint64_t hash_key)
      : ids_(16, connection_id_hash{hash_key}), tokens_(16, token_hash{hash_key}) {}

  /// False when the ID is taken: choose another.
  bool add(const connection_id& id, std::uint32_t slot) { return ids_.emplace(id, slot).second; }
  /// Removes the ID if it is of that connection.
  void remove(const connection_id& id, std::uint32_t slot) {
    if (const auto found = ids_.find(id); found != ids_.end() && found->second == slot)
      ids_.erase(found);
  }
  std::optional<std::uint32_t> find(const connection_id& id) const {
    const auto found = ids_.find(id);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

  void add_reset_token(const stateless_reset_token& token, std::uint32_t slot) {
    tokens_.insert_or_assign(token, slot);
  }
  void remove_reset_token(const stateless_reset_token& token, std::uint32_t slot) {
    if (const auto found = tokens_.find(token); found != tokens_.end() && found->second == slot)
      tokens_.erase(found);
  }
  //= RFC 9000 section 10.3.1
  //# When comparing a datagram to stateless reset token values, endpoints MUST perform the comparison
  //# without leaking information about the value of the token.
  // The look-up goes by a hash with a secret key, so its time says nothing about how much of a
  // guess was right.
  std::optional<std::uint32_t> find_reset(transport::bytes datagram) const {
    stateless_reset_token token;
    //= RFC 9000 section 10.3
    //# Endpoints MUST discard packets that are too small to be valid QUIC packets.
    if (datagram.size() < least_reset_size) return std::nullopt;
    transport::copy_bytes(token.data(), datagram.last(token.size()));
    const auto found = tokens_.find(token);
    return found == tokens_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  struct token_hash {
    std::uint64_t key;
    std::size_t operator()(const stateless_reset_token& token) const noexcept {
      return static_cast<std::size_t>(connection_id(token).hash(key));
    }
  };

  std::unordered_map<connection_id, std::uint32_t, connection_id_hash> ids_;
  std::unordered_map<stateless_reset_token, std::uint32_t, token_hash> tokens_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
