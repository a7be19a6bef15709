// SPDX-License-Identifier: Apache-2.0
#include "observers/qlog_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "observers/json_text.hpp"
#include "observers/qlog_frames.hpp"

namespace strata::quic {
inline namespace v0 {
namespace observers {
namespace {

std::string_view name_of(observed::packet_kind kind) {
  switch (kind) {
    case observed::packet_kind::initial: return "initial";
    case observed::packet_kind::zero_rtt: return "0RTT";
    case observed::packet_kind::handshake: return "handshake";
    case observed::packet_kind::one_rtt: return "1RTT";
    case observed::packet_kind::retry: return "retry";
    case observed::packet_kind::version_negotiation: return "version_negotiation";
    case observed::packet_kind::unknown: break;
  }
  return "unknown";
}

/// qlog's KeyType, less the side, which comes before it.
std::string_view key_name(encryption_level level) {
  switch (level) {
    case encryption_level::initial: return "initial_secret";
    case encryption_level::early_data: return "0rtt_secret";
    case encryption_level::handshake: return "handshake_secret";
    case encryption_level::application: break;
  }
  return "1rtt_secret";
}

double milliseconds(transport::duration value) {
  return std::chrono::duration<double, std::milli>(value).count();
}

/// RFC 3339, UTC, milliseconds.
std::string date_text(std::chrono::system_clock::time_point at) {
  const auto exact = std::chrono::floor<std::chrono::milliseconds>(at);
  const auto day = std::chrono::floor<std::chrono::days>(exact);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(exact - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::string_view closing_trigger(close_reason::origin_kind from) {
  switch (from) {
    case close_reason::origin_kind::idle_timeout: return "idle_timeout";
    case close_reason::origin_kind::handshake_timeout: return "aborted";
    case close_reason::origin_kind::stateless_reset: return "stateless_reset";
    case close_reason::origin_kind::version_negotiation: return "version_mismatch";
    case close_reason::origin_kind::local_application:
    case close_reason::origin_kind::peer_application: return "application";
    default: return "error";
  }
}

/// qlog allows few words for why a packet was dropped; the core's are finer.
std::string_view drop_trigger(std::string_view ours) {
  struct row {
    std::string_view ours, theirs;
  };
  constexpr std::array<row, 10> rows{{{"decryption_failure", "decryption_failure"},
                                      {"duplicate", "duplicate"},
                                      {"invalid", "invalid"},
                                      {"key_unavailable", "key_unavailable"},
                                      {"header_parse_error", "invalid"},
                                      {"payload_too_short", "invalid"},
                                      {"unexpected_source_address", "rejected"},
                                      {"unexpected_version", "unsupported"},
                                      {"unsupported_packet", "unsupported"},
                                      {"unknown_connection_id", "connection_unknown"}}};
  const auto* const found = std::ranges::find(rows, ours, &row::ours);
  return found == rows.end() ? "general" : found->theirs;
}

std::string endpoint_text(const transport::address& at) {
  // A client does not know which of its addresses the system will send from.
  if (at == transport::address()) return "{}";
  const char* version = at.is_v6() ? "v6" : "v4";
  return fmt::format(R"({{"ip_{}":"{}","port_{}":{}}})", version, at.ip_string(), version,
                     at.port());
}

}  // namespace

std::string_view name_of(role side) noexcept { return side == role::client ? "client" : "server"; }

qlog_trace::qlog_trace(const observed::subject& about, std::chrono::system_clock::time_point wall)
    : begun_(about.time) {
  fmt::format_to(
      std::back_inserter(text_),
      "\x1e{{\"file_schema\":\"urn:ietf:params:qlog:file:sequential\","
      "\"serialization_format\":\"application/qlog+json-seq\",\"title\":\"strata\","
      "\"trace\":{{\"vantage_point\":{{\"type\":\"{}\"}},\"common_fields\":{{\"group_id\":\"{}\","
      "\"time_format\":\"relative_to_epoch\",\"reference_time\":{{\"clock_type\":\"monotonic\","
      "\"epoch\":\"unknown\",\"wall_clock_time\":\"{}\"}}}},"
      "\"event_schemas\":[\"urn:ietf:params:qlog:events:quic-12\"]}}}}\n",
      name_of(about.side), about.original_destination.hex(), date_text(wall));
}

void qlog_trace::begin(const observed::subject& about, std::string_view name) {
  fmt::format_to(std::back_inserter(text_),
                 "\x1e{{\"time\":{:.3f},\"name\":\"quic:{}\",\"data\":{{",
                 milliseconds(about.time - begun_), name);
}

void qlog_trace::add(const observed::connection_started& event) {
  begin(event.about, "connection_started");
  fmt::format_to(std::back_inserter(text_), R"("local":{},"remote":{})", endpoint_text(event.local),
                 endpoint_text(event.remote));
  end();
}

void qlog_trace::add(const observed::connection_closed& event) {
  using origin = close_reason::origin_kind;
  const origin from = event.why.origin;
  const bool remote = from == origin::peer_application || from == origin::peer_transport ||
                      from == origin::stateless_reset || from == origin::version_negotiation;
  const bool application = from == origin::peer_application || from == origin::local_application;
  const bool transport = from == origin::peer_transport || from == origin::local_transport;
  begin(event.about, "connection_closed");
  fmt::format_to(std::back_inserter(text_), R"("initiator":"{}")", remote ? "remote" : "local");
  if (application) append_error(text_, "application_error", true, event.why.code);
  if (transport) append_error(text_, "connection_error", false, event.why.code);
  text_ += R"(,"reason":)";
  // Where no one gave a reason, the kind of the end is one.
  const bool kind_says = event.why.reason.empty() && !application && !transport;
  append_json_string(text_, kind_says ? event.why.describe() : event.why.reason);
  fmt::format_to(std::back_inserter(text_), R"(,"trigger":"{}")", closing_trigger(from));
  end();
}

void qlog_trace::add(const observed::connection_state_updated& event) {
  begin(event.about, "connection_state_updated");
  fmt::format_to(std::back_inserter(text_), R"("new":"{}")", event.state);
  end();
}

void qlog_trace::add(const observed::parameters_set& event) {
  const core::transport_parameters& set = event.parameters;
  (event.local ? local_exponent_ : remote_exponent_) = set.ack_delay_exponent;
  begin(event.about, "parameters_set");
  fmt::format_to(std::back_inserter(text_),
                 R"("initiator":"{}","disable_active_migration":{},"max_idle_timeout":{},)"
                 R"("max_udp_payload_size":{},)"
                 R"("ack_delay_exponent":{},"max_ack_delay":{},"active_connection_id_limit":{},)"
                 R"("initial_max_data":{},)"
                 R"("initial_max_stream_data_bidi_local":{},)"
                 R"("initial_max_stream_data_bidi_remote":{},)"
                 R"("initial_max_stream_data_uni":{},"initial_max_streams_bidi":{},)"
                 R"("initial_max_streams_uni":{})",
                 event.local ? "local" : "remote", set.disable_active_migration,
                 set.max_idle_timeout, set.max_udp_payload_size, set.ack_delay_exponent,
                 set.max_ack_delay, set.active_connection_id_limit, set.initial_max_data,
                 set.initial_max_stream_data_bidi_local, set.initial_max_stream_data_bidi_remote,
                 set.initial_max_stream_data_uni, set.initial_max_streams_bidi,
                 set.initial_max_streams_uni);
  end();
}

template <class Event>
void qlog_trace::add_packet(const Event& event, std::string_view name,
                            std::uint64_t ack_delay_exponent) {
  begin(event.about, name);
  fmt::format_to(std::back_inserter(text_),
                 R"("header":{{"packet_type":"{}","packet_number":{}}},"raw":{{"length":{},)"
                 R"("payload_length":{}}},"frames":)",
                 name_of(event.kind), event.number, event.size, event.payload.size());
  append_frames(text_, event.payload, ack_delay_exponent);
  end();
}

void qlog_trace::add(const observed::packet_sent& event) {
  add_packet(event, "packet_sent", local_exponent_);
}

void qlog_trace::add(const observed::packet_received& event) {
  add_packet(event, "packet_received", remote_exponent_);
}

void qlog_trace::add(const observed::packet_dropped& event) {
  const std::string_view trigger = drop_trigger(event.trigger);
  begin(event.about, "packet_dropped");
  fmt::format_to(std::back_inserter(text_),
                 R"("header":{{"packet_type":"{}"}},"raw":{{"length":{}}},"trigger":"{}")",
                 name_of(event.kind), event.size, trigger);
  if (trigger != event.trigger)
    fmt::format_to(std::back_inserter(text_), R"(,"details":{{"reason":"{}"}})", event.trigger);
  end();
}

void qlog_trace::add(const observed::packet_lost& event) {
  begin(event.about, "packet_lost");
  fmt::format_to(std::back_inserter(text_), R"("header":{{"packet_type":"{}","packet_number":{}}})",
                 name_of(event.kind), event.number);
  end();
}

void qlog_trace::add(const observed::recovery_metrics_updated& event) {
  begin(event.about, "recovery_metrics_updated");
  fmt::format_to(std::back_inserter(text_),
                 R"("smoothed_rtt":{:.3f},"min_rtt":{:.3f},"latest_rtt":{:.3f},)"
                 R"("rtt_variance":{:.3f},"pto_count":{},)"
                 R"("congestion_window":{},"bytes_in_flight":{})",
                 milliseconds(event.smoothed_rtt), milliseconds(event.minimum_rtt),
                 milliseconds(event.latest_rtt), milliseconds(event.rtt_variance),
                 event.probe_timeout_count, event.congestion_window, event.bytes_in_flight);
  end();
}

void qlog_trace::add(const observed::key_updated& event) {
  begin(event.about, "key_updated");
  fmt::format_to(std::back_inserter(text_), R"("key_type":"{}_{}","trigger":"{}")",
                 name_of(event.sender), key_name(event.level), event.trigger);
  if (event.key_phase)
    fmt::format_to(std::back_inserter(text_), R"(,"key_phase":{})", *event.key_phase);
  end();
}

void qlog_trace::add(const observed::key_discarded& event) {
  // A level's keys go both at once.
  add_discarded(event, role::client);
  add_discarded(event, role::server);
}

void qlog_trace::add_discarded(const observed::key_discarded& event, role side) {
  begin(event.about, "key_discarded");
  fmt::format_to(std::back_inserter(text_), R"("key_type":"{}_{}")", name_of(side),
                 key_name(event.level));
  end();
}

}  // namespace observers
}  // namespace v0
}  // namespace strata::quic
