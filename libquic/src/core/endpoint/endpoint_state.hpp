// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "core/connection/connection_state.hpp"
#include "core/endpoint/connection_id_router.hpp"
#include "core/endpoint/incoming_attempts.hpp"
#include "core/endpoint/stateless_responder.hpp"
#include "core/endpoint/timer_heap.hpp"
#include "strata/quic/core/endpoint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// What an endpoint holds. Routing of datagrams is in endpoint_receive.cpp, the rest in
/// endpoint.cpp.
struct endpoint::state {
  state(const endpoint_config&, transport::random_source&, transport::wall_clock&, tls_backend&);

  struct slot {
    std::unique_ptr<connection_state> connection;
    std::uint32_t generation = 0;
    bool half_open = false;
  };

  // endpoint_receive.cpp
  /// Datagrams of the batch from `offset` on that go to one place, and how many bytes they are.
  std::size_t receive_run(time_point now, const datagram_batch& batch, std::size_t offset);
  void receive_unrouted(time_point now, const datagram_batch& batch, bytes datagram);
  void receive_initial(const datagram_batch& batch, bytes datagram, const packet_header& header);
  bool receive_reset(time_point now, bytes datagram);

  // endpoint.cpp
  connection_state* find(connection_handle handle) noexcept;
  std::optional<std::uint32_t> take_slot();
  connection_surroundings surroundings() noexcept;
  result<connection_handle> accept(time_point now, incoming_attempts::attempt attempt);
  void refuse(const incoming_attempts::attempt& attempt, decision what);
  /// The connection has nothing more to send now: its deadline is taken down, and it is forgotten
  /// when it is over.
  void settle(std::uint32_t slot);
  void note_handshake(slot& place);

  endpoint_config config;
  transport::random_source& random;
  tls_backend& tls;
  token_issuer tokens;
  connection_id_router router;
  incoming_attempts incoming;
  stateless_responder responder;
  page_recycler pages;
  workspace scratch;
  service_list services;   ///< Connections to ask for output.
  service_list reporters;  ///< Connections to ask for events.
  timer_heap timers;
  event_queue events;  ///< Of the endpoint itself: incoming attempts.
  observer* watcher = nullptr;
  std::vector<slot> slots;
  std::vector<std::uint32_t> free_slots;
  std::vector<std::uint32_t> received_since_release;  ///< Connections with lent input.
  time_point last_now{};
  endpoint_statistics statistics;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
