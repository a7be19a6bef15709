// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <vector>

#include "core/connection/packet_payload.hpp"
#include "core/crypto/address_token.hpp"
#include "core/endpoint/connection_id_router.hpp"
#include "strata/quic/core/connection_id.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/transport/core/random.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The connection IDs that this side gave the peer to put into packets (RFC 9000 section 5.1):
/// issues them, routes them to the connection, and takes them back when the peer retires them.
class local_connection_ids {
 public:
  //= RFC 9000 section 10.3.2
  //# MUST either use the same connection ID length for all connections or encode
  /// Bytes of every ID we choose: enough to be unguessable and to collide never.
  static constexpr std::size_t id_size = 8;

  struct context {
    connection_id_router& router;
    transport::random_source& random;
    const token_issuer& tokens;
    std::uint32_t slot = 0;
  };

  /// Chooses the ID of sequence number 0, which packets of the handshake carry.
  explicit local_connection_ids(const context& context);
  ~local_connection_ids();
  local_connection_ids(const local_connection_ids&) = delete;
  local_connection_ids& operator=(const local_connection_ids&) = delete;

  const connection_id& initial() const noexcept { return initial_; }
  /// Routes a further ID to the connection until the handshake is over: the one a client chose for
  /// the server.
  void add_provisional(const connection_id& id);
  void drop_provisional();

  /// The peer keeps at most `limit` IDs (its active_connection_id_limit): issues up to that, and up
  /// to ours.
  void issue(std::uint64_t limit);
  /// RETIRE_CONNECTION_ID in a packet that was sent to `destination`.
  std::expected<void, protocol_failure> on_retired(std::uint64_t sequence,
                                                   const connection_id& destination);

  bool has_output() const noexcept { return pending_ != 0; }
  void write_frames(packet_payload& payload);
  void on_lost(std::uint64_t sequence) noexcept;

  std::size_t active() const noexcept { return issued_.size(); }

 private:
  struct issued_id {
    std::uint64_t sequence = 0;
    connection_id id;
    bool pending = false;  ///< A NEW_CONNECTION_ID frame is to be sent.
  };
  connection_id choose();

  context context_;
  connection_id initial_;
  connection_id provisional_;
  bool has_provisional_ = false;
  std::vector<issued_id> issued_;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t sent_below_ = 1;  ///< Packets of the handshake carry the first one.
  std::uint64_t limit_ = 1;
  std::size_t pending_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
