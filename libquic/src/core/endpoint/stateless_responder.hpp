// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/crypto/address_token.hpp"
#include "core/wire/packet_header.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/transport/core/datagram.hpp"
#include "strata/transport/core/random.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Answers that need no connection: Version Negotiation, Retry, refusals and stateless resets. They
/// wait in a short queue; when it is full the newest are not made, because whoever floods us
/// deserves no memory.
class stateless_responder {
 public:
  /// Addresses of the datagram that is answered.
  struct addresses {
    const transport::address& remote;
    const transport::address& local;
  };
  struct counters {
    std::uint64_t version_negotiations = 0;
    std::uint64_t retries = 0;
    std::uint64_t refusals = 0;
    std::uint64_t resets = 0;
  };

  stateless_responder(transport::random_source& random, token_issuer& tokens, bool null_protection)
      : random_(random), tokens_(tokens), null_protection_(null_protection) {}

  void negotiate_version(const addresses& to, const packet_header& header);
  void retry(const addresses& to, const packet_header& header);
  /// Closes an attempt in one Initial packet: CONNECTION_REFUSED, INVALID_TOKEN.
  void close(const addresses& to, const packet_header& header, transport_error code);
  /// `datagram_size` is of the datagram that could not be understood; the reset is smaller, so that
  /// two endpoints cannot keep each other busy (RFC 9000 section 10.3.3).
  void reset(transport::time_point now, const addresses& to, transport::bytes destination,
             std::size_t datagram_size);

  std::optional<transport::transmit> poll_transmit(transport::mutable_bytes out);
  bool empty() const noexcept { return queue_.empty(); }
  const counters& count() const noexcept { return counters_; }

 private:
  static constexpr std::size_t max_queued = 256;
  struct response {
    std::vector<std::byte> datagram;
    transport::address remote;
    transport::address local;
  };
  bool may_answer(const addresses& to) const noexcept;
  void enqueue(const addresses& to, transport::bytes datagram);
  bool take_reset_credit(transport::time_point now) noexcept;

  transport::random_source& random_;
  token_issuer& tokens_;
  bool null_protection_;
  std::deque<response> queue_;
  counters counters_;
  transport::time_point credit_at_{};
  unsigned reset_credit_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
