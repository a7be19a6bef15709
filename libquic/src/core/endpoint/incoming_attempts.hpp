// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/crypto/key_schedule.hpp"
#include "strata/quic/core/connection_id.hpp"
#include "strata/quic/core/endpoint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Clients that want in and wait for a decision: a bounded number, each with a bounded number of
/// bytes. Keyed by the Destination Connection ID the client chose, hashed with a secret.
class incoming_attempts {
 public:
  struct attempt {
    incoming_attempt visible;
    connection_id destination;  ///< Of the first datagram.
    connection_id source;
    connection_id original_destination;  ///< The same as destination unless a Retry came between.
    std::optional<connection_id> retry_source;
    initial_protection keys;  ///< Derived from `destination`.
    transport::ecn mark = transport::ecn::not_ect;
    std::vector<std::vector<std::byte>> datagrams;
    std::size_t bytes = 0;
  };

  explicit incoming_attempts(std::uint64_t hash_key)
      : by_destination_(16, connection_id_hash{hash_key}) {}

  /// A further datagram of an attempt that waits; false when there is no such attempt.
  bool append(const connection_id& destination, const transport::address& remote,
              transport::bytes datagram);
  /// Its number, or nothing when too many wait.
  std::optional<std::uint64_t> add(attempt first);
  const attempt* find(std::uint64_t number) const;
  std::optional<attempt> take(std::uint64_t number);

 private:
  std::unordered_map<std::uint64_t, attempt> attempts_;
  std::unordered_map<connection_id, std::uint64_t, connection_id_hash> by_destination_;
  std::uint64_t next_ = 1;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
