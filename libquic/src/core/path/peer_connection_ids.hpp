// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "core/connection/packet_payload.hpp"
#include "core/endpoint/connection_id_router.hpp"
#include "core/wire/frame.hpp"
#include "strata/quic/core/connection_id.hpp"
#include "strata/quic/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The connection IDs that the peer gave us to put into packets, with the tokens of stateless
/// resets that belong to them (RFC 9000 sections 5.1 and 10.3). The ID of the lowest sequence
/// number is in use.
class peer_connection_ids {
 public:
  peer_connection_ids(connection_id_router& router, std::uint32_t slot)
      : router_(router), slot_(slot) {}
  ~peer_connection_ids();
  peer_connection_ids(const peer_connection_ids&) = delete;
  peer_connection_ids& operator=(const peer_connection_ids&) = delete;

  /// The ID in use.
  const connection_id& current() const noexcept { return active_.front().id; }
  /// Sets the ID of sequence number 0: the random one of a client's first flight, then a Retry's,
  /// then the peer's own.
  void set_initial(const connection_id& id);
  /// The token that came as a transport parameter; it belongs to sequence number 0.
  void set_initial_reset_token(const stateless_reset_token& token);

  std::expected<void, protocol_failure> on(const new_connection_id_frame& frame);

  bool has_output() const noexcept;
  void write_frames(packet_payload& payload);
  void on_acked(std::uint64_t sequence) noexcept;
  void on_lost(std::uint64_t sequence) noexcept;

 private:
  struct active_id {
    std::uint64_t sequence = 0;
    connection_id id;
    std::optional<stateless_reset_token> token;
    bool used = false;  ///< Packets carry it, so a reset may name its token.
  };
  struct retirement {
    std::uint64_t sequence = 0;
    bool pending = true;  ///< The frame is to be sent (again).
  };
  std::expected<void, protocol_failure> retire(std::uint64_t sequence);
  std::expected<void, protocol_failure> retire_prior_to(std::uint64_t sequence);
  void drop_token(const active_id& entry);
  void use_current();

  connection_id_router& router_;
  std::uint32_t slot_;
  std::vector<active_id> active_;
  std::vector<retirement> retirements_;  ///< Sent and not yet acknowledged, or to be sent.
  std::uint64_t retired_below_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
