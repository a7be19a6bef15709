// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "strata/quic/core/transport_parameters.hpp"
#include "strata/quic/observer.hpp"

namespace strata::quic {
inline namespace v0 {
namespace observers {

/// "client" or "server", as qlog says it.
std::string_view name_of(role side) noexcept;

/// The text of one connection's trace: a header, then one record for each event, as a JSON text
/// sequence (RFC 7464). It only writes text; where that goes is its owner's business.
class qlog_trace {
 public:
  /// `wall` is the calendar time at `about.time`, which becomes the trace's zero.
  qlog_trace(const observed::subject& about, std::chrono::system_clock::time_point wall);

  void add(const observed::connection_started&);
  void add(const observed::connection_closed&);
  void add(const observed::connection_state_updated&);
  void add(const observed::parameters_set&);
  void add(const observed::packet_sent&);
  void add(const observed::packet_received&);
  void add(const observed::packet_dropped&);
  void add(const observed::packet_lost&);
  void add(const observed::recovery_metrics_updated&);
  void add(const observed::key_updated&);
  void add(const observed::key_discarded&);

  /// What has been added since clear(); it ends with a whole record.
  const std::string& text() const noexcept { return text_; }
  void clear() noexcept { text_.clear(); }

 private:
  void begin(const observed::subject& about, std::string_view name);
  void end() { text_ += "}}\n"; }
  template <class Event>
  void add_packet(const Event& event, std::string_view name, std::uint64_t ack_delay_exponent);
  void add_discarded(const observed::key_discarded& event, role side);

  std::string text_;
  transport::time_point begun_;
  /// What each side's ACK Delay fields are shifted by; its transport parameters say.
  std::uint64_t local_exponent_ = core::transport_parameters::default_ack_delay_exponent;
  std::uint64_t remote_exponent_ = core::transport_parameters::default_ack_delay_exponent;
};

}  // namespace observers
}  // namespace v0
}  // namespace strata::quic
