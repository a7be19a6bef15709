// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <iterator>
#include <string>
#include <unordered_map>

#include "observers/qlog_frames.hpp"
#include "strata/quic/core/transport_parameters.hpp"
#include "strata/quic/qlog.hpp"

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

std::string_view name_of(role side) { return side == role::client ? "client" : "server"; }

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

/// One connection's file; what is not yet written waits in memory, at most a little more than
/// `flush_at`.
class qlog_file {
 public:
  qlog_file(const std::filesystem::path& directory, const observed::subject& about)
      : begun_(about.time) {
    const std::string id = about.original_destination.hex();
    const auto path = directory / fmt::format("{}_{}.sqlog", id, name_of(about.side));
    // Appending: what happens to a connection long after its end would otherwise wipe its file.
    file_.reset(std::fopen(path.c_str(), "ab"));
    const auto wall = std::chrono::duration<double, std::milli>(
        std::chrono::system_clock::now().time_since_epoch());
    fmt::format_to(
        std::back_inserter(text_),
        "\x1e{{\"file_schema\":\"urn:ietf:params:qlog:file:sequential\","
        "\"serialization_format\":\"application/qlog+json-seq\",\"title\":\"strata\","
        "\"trace\":{{\"vantage_point\":{{\"type\":\"{}\"}},\"common_fields\":{{\"group_id\":\"{}\","
        "\"time_format\":\"relative_to_epoch\",\"reference_time\":{{\"clock_type\":\"monotonic\","
        "\"epoch\":\"unknown\",\"wall_clock_time_ms\":{:.3f}}}}},"
        "\"event_schemas\":[\"urn:ietf:params:qlog:events:quic-12\"]}}}}\n",
        name_of(about.side), id, wall.count());
  }
  qlog_file(const qlog_file&) = delete;
  ~qlog_file() { flush(); }

  std::string& begin(const observed::subject& about, std::string_view name) {
    fmt::format_to(std::back_inserter(text_),
                   "\x1e{{\"time\":{:.3f},\"name\":\"quic:{}\",\"data\":{{",
                   milliseconds(about.time - begun_), name);
    return text_;
  }
  void end() {
    text_ += "}}\n";
    if (text_.size() >= flush_at) flush();
  }
  std::optional<transport::time_point> closed_at;

  void flush() noexcept {
    if (file_ != nullptr) {
      const bool written = std::fwrite(text_.data(), 1, text_.size(), file_.get()) == text_.size();
      if (!written || std::fflush(file_.get()) != 0) file_.reset();
    }
    text_.clear();
  }

 private:
  static constexpr std::size_t flush_at = 64 * 1024;
  struct closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, closer> file_;
  std::string text_;
  transport::time_point begun_;
};

class qlog_observer final : public observer {
 public:
  explicit qlog_observer(std::filesystem::path directory) : directory_(std::move(directory)) {}

  unsigned categories() const noexcept override { return everything; }

  void connection_started(const observed::connection_started& event) override {
    forget_closed(event.about.time);
    write(event.about, "connection_started", R"("local":{},"remote":{})",
          endpoint_text(event.local), endpoint_text(event.remote));
  }
  void connection_closed(const observed::connection_closed& event) override {
    using origin = close_reason::origin_kind;
    const origin from = event.why.origin;
    const bool remote = from == origin::peer_application || from == origin::peer_transport ||
                        from == origin::stateless_reset;
    std::string& out = begin(event.about, "connection_closed");
    fmt::format_to(std::back_inserter(out), R"("initiator":"{}",)", remote ? "remote" : "local");
    const bool application = from == origin::peer_application || from == origin::local_application;
    fmt::format_to(std::back_inserter(out), R"("{}":"unknown","error_code":{},"reason":)",
                   application ? "application_error" : "connection_error", event.why.code);
    append_json_string(out, event.why.reason);
    fmt::format_to(std::back_inserter(out), R"(,"trigger":"{}")", trigger_of(from));
    end(event.about);
    qlog_file& file = file_of(event.about);
    file.flush();
    file.closed_at = event.about.time;
  }
  void connection_state_updated(const observed::connection_state_updated& event) override {
    write(event.about, "connection_state_updated", R"("new":"{}")", event.state);
  }
  void parameters_set(const observed::parameters_set& event) override {
    const core::transport_parameters& set = event.parameters;
    write(
        event.about, "parameters_set",
        R"("initiator":"{}","disable_active_migration":{},"max_idle_timeout":{},)"
        R"("max_udp_payload_size":{},)"
        R"("ack_delay_exponent":{},"max_ack_delay":{},"active_connection_id_limit":{},)"
        R"("initial_max_data":{},)"
        R"("initial_max_stream_data_bidi_local":{},)"
        R"("initial_max_stream_data_bidi_remote":{},)"
        R"("initial_max_stream_data_uni":{},"initial_max_streams_bidi":{},)"
        R"("initial_max_streams_uni":{})",
        event.local ? "local" : "remote", set.disable_active_migration, set.max_idle_timeout,
        set.max_udp_payload_size, set.ack_delay_exponent, set.max_ack_delay,
        set.active_connection_id_limit, set.initial_max_data,
        set.initial_max_stream_data_bidi_local, set.initial_max_stream_data_bidi_remote,
        set.initial_max_stream_data_uni, set.initial_max_streams_bidi, set.initial_max_streams_uni);
  }
  void packet_sent(const observed::packet_sent& event) override {
    write_packet(event, "packet_sent");
  }
  void packet_received(const observed::packet_received& event) override {
    write_packet(event, "packet_received");
  }
  void packet_dropped(const observed::packet_dropped& event) override {
    write(event.about, "packet_dropped",
          R"("header":{{"packet_type":"{}"}},"raw":{{"length":{}}},"trigger":"{}")",
          name_of(event.kind), event.size, event.trigger);
  }
  void packet_lost(const observed::packet_lost& event) override {
    write(event.about, "packet_lost", R"("header":{{"packet_type":"{}","packet_number":{}}})",
          name_of(event.kind), event.number);
  }
  void recovery_metrics_updated(const observed::recovery_metrics_updated& event) override {
    write(
        event.about, "recovery_metrics_updated",
        R"("smoothed_rtt":{:.3f},"min_rtt":{:.3f},"latest_rtt":{:.3f},)"
        R"("rtt_variance":{:.3f},"pto_count":{},)"
        R"("congestion_window":{},"bytes_in_flight":{})",
        milliseconds(event.smoothed_rtt), milliseconds(event.minimum_rtt),
        milliseconds(event.latest_rtt), milliseconds(event.rtt_variance), event.probe_timeout_count,
        event.congestion_window, event.bytes_in_flight);
  }
  void key_updated(const observed::key_updated& event) override {
    std::string& out = begin(event.about, "key_updated");
    fmt::format_to(std::back_inserter(out), R"("key_type":"{}_{}","trigger":"{}")",
                   name_of(event.about.side), key_name(event.level), event.trigger);
    if (event.key_phase)
      fmt::format_to(std::back_inserter(out), R"(,"key_phase":{})", *event.key_phase);
    end(event.about);
  }
  void key_discarded(const observed::key_discarded& event) override {
    write(event.about, "key_discarded", R"("key_type":"{}_{}")", name_of(event.about.side),
          key_name(event.level));
  }

 private:
  static std::string_view trigger_of(close_reason::origin_kind from) {
    switch (from) {
      case close_reason::origin_kind::idle_timeout: return "idle_timeout";
      case close_reason::origin_kind::handshake_timeout: return "handshake_timeout";
      case close_reason::origin_kind::stateless_reset: return "stateless_reset";
      case close_reason::origin_kind::version_negotiation: return "version_mismatch";
      case close_reason::origin_kind::local_application:
      case close_reason::origin_kind::peer_application: return "application";
      default: return "error";
    }
  }
  static std::string endpoint_text(const transport::address& at) {
    const char* version = at.is_v6() ? "v6" : "v4";
    return fmt::format(R"({{"ip_{}":"{}","port_{}":{}}})", version, at.ip_string(), version,
                       at.port());
  }
  /// Packets may still follow the end, the CONNECTION_CLOSE itself among them; a while later none
  /// do.
  void forget_closed(transport::time_point now) {
    std::erase_if(files_, [now](const auto& entry) {
      return entry.second->closed_at && now - *entry.second->closed_at > std::chrono::seconds(10);
    });
  }
  /// Both ends of a connection may live in one process.
  static std::string key_of(const observed::subject& about) {
    return about.original_destination.hex() + (about.side == role::client ? 'c' : 's');
  }
  qlog_file& file_of(const observed::subject& about) {
    auto& file = files_[key_of(about)];
    if (file == nullptr) file = std::make_unique<qlog_file>(directory_, about);
    return *file;
  }
  std::string& begin(const observed::subject& about, std::string_view name) {
    return file_of(about).begin(about, name);
  }
  void end(const observed::subject& about) { file_of(about).end(); }

  template <class... Args>
  void write(const observed::subject& about, std::string_view name,
             fmt::format_string<Args...> form, Args&&... args) {
    fmt::format_to(std::back_inserter(begin(about, name)), form, std::forward<Args>(args)...);
    end(about);
  }
  template <class Event>
  void write_packet(const Event& event, std::string_view name) {
    std::string& out = begin(event.about, name);
    fmt::format_to(
        std::back_inserter(out),
        R"("header":{{"packet_type":"{}","packet_number":{}}},"raw":{{"length":{},)"
        R"("payload_length":{}}},"frames":)",
        name_of(event.kind), event.number, event.size, event.payload.size());
    append_frames(out, event.payload);
    end(event.about);
  }

  std::filesystem::path directory_;
  std::unordered_map<std::string, std::unique_ptr<qlog_file>> files_;
};

}  // namespace
}  // namespace observers

std::shared_ptr<observer> make_qlog_observer(std::filesystem::path directory) {
  return std::make_shared<observers::qlog_observer>(std::move(directory));
}

}  // namespace v0
}  // namespace strata::quic
