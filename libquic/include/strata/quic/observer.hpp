// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "strata/quic/core/connection_id.hpp"
#include "strata/quic/core/encryption_level.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {

namespace core {
struct transport_parameters;
}

/// What is reported, named by the events of qlog's QUIC schema. Views are valid during the call.
namespace observed {

/// Which connection, and when: the start of every event.
struct subject {
  transport::time_point time{};
  const connection_id& original_destination;  ///< Both sides name the connection by it.
  role side = role::client;
};

enum class packet_kind : std::uint8_t {
  initial,
  zero_rtt,
  handshake,
  one_rtt,
  retry,
  version_negotiation,
  unknown
};

struct connection_started {
  subject about;
  const transport::address& local;
  const transport::address& remote;
};
struct connection_closed {
  subject about;
  const close_reason& why;
};
struct connection_state_updated {
  subject about;
  std::string_view state;  ///< "attempted", "handshake_complete", "handshake_confirmed", "closing",
                           ///< "draining", "closed".
};
struct parameters_set {
  subject about;
  bool local = false;
  const core::transport_parameters& parameters;
};
struct packet_sent {
  subject about;
  packet_kind kind = packet_kind::one_rtt;
  std::uint64_t number = 0;
  std::size_t size = 0;      ///< Of the packet in its datagram, tag included.
  transport::bytes payload;  ///< The frames, unencrypted.
};
struct packet_received {
  subject about;
  packet_kind kind = packet_kind::one_rtt;
  std::uint64_t number = 0;
  std::size_t size = 0;
  transport::bytes payload;  ///< The frames, decrypted; not validated yet.
};
struct packet_dropped {
  subject about;
  packet_kind kind = packet_kind::unknown;
  std::size_t size = 0;
  std::string_view
      trigger;  ///< qlog's words: "key_unavailable", "decryption_failure", "duplicate", ...
};
struct packet_lost {
  subject about;
  packet_kind kind = packet_kind::one_rtt;
  std::uint64_t number = 0;
};
struct recovery_metrics_updated {
  subject about;
  transport::duration smoothed_rtt{};
  transport::duration minimum_rtt{};
  transport::duration latest_rtt{};
  transport::duration rtt_variance{};
  std::uint64_t congestion_window = 0;
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t slow_start_threshold = 0;
  unsigned probe_timeout_count = 0;
};
struct key_updated {
  subject about;
  role sender = role::client;  ///< Whose packets the key protects.
  encryption_level level = encryption_level::initial;
  std::optional<std::uint64_t> key_phase;
  std::string_view trigger;  ///< "tls", "remote_update", "local_update".
};
struct key_discarded {
  subject about;
  encryption_level level = encryption_level::initial;
};

}  // namespace observed

/// Looks on. It must not call into the endpoint, and what it does is on the connection's path:
/// qlog, metrics and debug logs are observers. Events of categories it does not ask for are never
/// built.
class observer {
 public:
  enum category : unsigned {
    connectivity = 1,
    transport = 2,
    recovery = 4,
    security = 8,
    everything = 15
  };

  virtual ~observer() = default;
  virtual unsigned categories() const noexcept = 0;

  virtual void connection_started(const observed::connection_started&) {}
  virtual void connection_closed(const observed::connection_closed&) {}
  virtual void connection_state_updated(const observed::connection_state_updated&) {}
  virtual void parameters_set(const observed::parameters_set&) {}
  virtual void packet_sent(const observed::packet_sent&) {}
  virtual void packet_received(const observed::packet_received&) {}
  virtual void packet_dropped(const observed::packet_dropped&) {}
  virtual void packet_lost(const observed::packet_lost&) {}
  virtual void recovery_metrics_updated(const observed::recovery_metrics_updated&) {}
  virtual void key_updated(const observed::key_updated&) {}
  virtual void key_discarded(const observed::key_discarded&) {}
};

}  // namespace v0
}  // namespace strata::quic
