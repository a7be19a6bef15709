// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "strata/quic/core/config.hpp"
#include "strata/quic/core/connection.hpp"
#include "strata/quic/core/event.hpp"
#include "strata/quic/core/tls_backend.hpp"
#include "strata/transport/core/datagram.hpp"
#include "strata/transport/core/random.hpp"

namespace strata::quic {
inline namespace v0 {

class observer;

namespace core {

using transport::datagram_batch;
using transport::time_point;
using transport::transmit;

/// What to do with a client that wants in, before any state of it exists.
enum class decision : std::uint8_t {
  accept,
  refuse,  ///< CONNECTION_REFUSED.
  retry,   ///< Prove the address first (RFC 9000 section 8.1.2).
  ignore,  ///< No answer at all.
};

/// An attempt that waits for a decision.
struct incoming_attempt {
  transport::address remote;
  transport::address local;
  bool address_validated = false;  ///< It came with a token of ours: a Retry would add nothing.
};

struct endpoint_statistics {
  std::uint64_t datagrams_received = 0;
  std::uint64_t datagrams_dropped = 0;  ///< Nothing of ours: no connection, no version, too short.
  std::uint64_t version_negotiations_sent = 0;
  std::uint64_t retries_sent = 0;
  std::uint64_t refusals_sent = 0;
  std::uint64_t stateless_resets_sent = 0;
  std::uint64_t incoming_dropped = 0;  ///< Attempts beyond limits::max_pending_incoming.
  std::uint32_t connections = 0;       ///< Now, draining ones included.
  std::uint32_t half_open = 0;         ///< Accepted, handshake not complete.
};

/// What a server does with an attempt when its application has no opinion: accepts, asks for a
/// Retry from limits::half_open_before_retry on, and ignores from limits::max_half_open on.
STRATA_QUIC_API decision default_admission(const incoming_attempt&,
                                           const endpoint_statistics&) noexcept;

/// QUIC on one socket, client and server at once: routes datagrams to connections, answers what
/// belongs to none, and owns the connections. It never blocks, calls back, or reads a clock.
///
/// Each turn of the owner: receive() for what has arrived; poll_event() until empty, with commands
/// through at(); release_input(); then poll_transmit() until it gives nothing. A timer runs for
/// next_timeout(), which may have moved after any call. Commands between turns only need the
/// poll_transmit() part.
class STRATA_QUIC_API endpoint {
 public:
  endpoint(const endpoint_config&, transport::random_source&, transport::wall_clock&, tls_backend&);
  ~endpoint();
  endpoint(const endpoint&) = delete;
  endpoint& operator=(const endpoint&) = delete;

  /// Everything that happens is reported to `who`, which must outlive the endpoint; nullptr
  /// switches it off.
  void observe(observer* who) noexcept;

  /// The batch's memory is lent until release_input() and is overwritten by decryption.
  void receive(time_point now, const datagram_batch&);
  /// Unread stream bytes leave the lent memory.
  void release_input();

  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;

  /// One sendmsg's worth in `out` (limits::max_batch_bytes or more): datagrams of one size to one
  /// address. Nothing when there is nothing to send now. `max_segments` <=
  /// limits::max_batch_segments.
  std::optional<transmit> poll_transmit(time_point now, mutable_bytes out, unsigned max_segments);
  /// The system refused what poll_transmit() gave for a reason that will not pass: the packets
  /// count as lost by themselves; ENETUNREACH and its like close the connections of that address
  /// once nothing gets through for an idle timeout.
  void transmit_failed(const transmit&, std::error_code why);

  bool poll_event(event& out);

  /// Begins a connection. `server_name` is what the certificate must name: a DNS name or an IP
  /// literal.
  result<connection_handle> connect(time_point now, const transport::address& remote,
                                    std::string_view server_name, const connection_config&);
  /// What an `incoming` event announced; nullptr when it has been decided or has gone.
  const incoming_attempt* incoming(std::uint64_t attempt) const;
  /// The handle is valid for accept only. limit_exceeded: too many connections; the attempt is
  /// refused then.
  result<connection_handle> decide(time_point now, std::uint64_t attempt, decision);

  connection_view at(connection_handle) noexcept;
  endpoint_statistics statistics() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
