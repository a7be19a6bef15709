// SPDX-License-Identifier: Apache-2.0
#include "observers/qlog_frames.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>

#include "core/wire/frame.hpp"
#include "observers/json_text.hpp"

namespace strata::quic {
inline namespace v0 {
namespace observers {
namespace {

/// The words of qlog's TransportError, by code (RFC 9000 section 20.1).
constexpr std::array<std::string_view, 17> transport_error_words{"no_error",
                                                                 "internal_error",
                                                                 "connection_refused",
                                                                 "flow_control_error",
                                                                 "stream_limit_error",
                                                                 "stream_state_error",
                                                                 "final_size_error",
                                                                 "frame_encoding_error",
                                                                 "transport_parameter_error",
                                                                 "connection_id_limit_error",
                                                                 "protocol_violation",
                                                                 "invalid_token",
                                                                 "application_error",
                                                                 "crypto_buffer_exceeded",
                                                                 "key_update_error",
                                                                 "aead_limit_reached",
                                                                 "no_viable_path"};

std::string hexadecimal(transport::bytes data) {
  std::string out;
  append_hexadecimal(out, data);
  return out;
}

std::string_view stream_kind(bool bidirectional) {
  return bidirectional ? "bidirectional" : "unidirectional";
}

/// The fields of one frame behind its "frame_type".
struct field_writer {
  std::string& out;
  std::uint64_t ack_delay_exponent;

  template <class... Args>
  void put(fmt::format_string<Args...> form, Args&&... args) const {
    fmt::format_to(std::back_inserter(out), form, std::forward<Args>(args)...);
  }

  /// qlog wants a frame's own length field in raw.length.
  void put_length(std::size_t size) const {
    put(R"(,"raw":{{"length":{},"payload_length":{}}})", size, size);
  }

  void operator()(const core::padding_frame& frame) const {
    put(R"(,"raw":{{"payload_length":{}}})", frame.length);
  }
  void operator()(const core::ping_frame&) const {}
  void operator()(const core::ack_frame& frame) const {
    // In milliseconds; on the wire it is in microseconds, shifted (RFC 9000 section 19.3).
    put(R"(,"ack_delay":{:.3f},"acked_ranges":[)",
        std::ldexp(static_cast<double>(frame.ack_delay), static_cast<int>(ack_delay_exponent)) /
            1000);
    bool first = true;
    frame.for_each_range([&](std::uint64_t smallest, std::uint64_t largest) {
      if (!first) out += ',';
      first = false;
      smallest == largest ? put("[{}]", largest) : put("[{},{}]", smallest, largest);
    });
    out += ']';
    if (!frame.ecn_counts) return;
    put(R"(,"ect1":{},"ect0":{},"ce":{})", frame.ecn_counts->ect1, frame.ecn_counts->ect0,
        frame.ecn_counts->ecn_ce);
  }
  void operator()(const core::reset_stream_frame& frame) const {
    put(R"(,"stream_id":{},"error":"unknown","error_code":{},"final_size":{})", frame.stream_id,
        frame.application_protocol_error_code, frame.final_size);
  }
  void operator()(const core::stop_sending_frame& frame) const {
    put(R"(,"stream_id":{},"error":"unknown","error_code":{})", frame.stream_id,
        frame.application_protocol_error_code);
  }
  void operator()(const core::crypto_frame& frame) const {
    put(R"(,"offset":{})", frame.offset);
    put_length(frame.data.size());
  }
  void operator()(const core::new_token_frame& frame) const {
    put(R"(,"token":{{"raw":{{"payload_length":{}}}}})", frame.token.size());
  }
  void operator()(const core::stream_frame& frame) const {
    put(R"(,"stream_id":{},"offset":{},"fin":{})", frame.stream_id, frame.offset, frame.fin);
    put_length(frame.data.size());
  }
  void operator()(const core::max_data_frame& frame) const {
    put(R"(,"maximum":{})", frame.maximum_data);
  }
  void operator()(const core::max_stream_data_frame& frame) const {
    put(R"(,"stream_id":{},"maximum":{})", frame.stream_id, frame.maximum_stream_data);
  }
  void operator()(const core::max_streams_frame& frame) const {
    put(R"(,"stream_type":"{}","maximum":{})", stream_kind(frame.bidirectional),
        frame.maximum_streams);
  }
  void operator()(const core::data_blocked_frame& frame) const {
    put(R"(,"limit":{})", frame.maximum_data);
  }
  void operator()(const core::stream_data_blocked_frame& frame) const {
    put(R"(,"stream_id":{},"limit":{})", frame.stream_id, frame.maximum_stream_data);
  }
  void operator()(const core::streams_blocked_frame& frame) const {
    put(R"(,"stream_type":"{}","limit":{})", stream_kind(frame.bidirectional),
        frame.maximum_streams);
  }
  void operator()(const core::new_connection_id_frame& frame) const {
    put(R"(,"sequence_number":{},"retire_prior_to":{},"connection_id":"{}",)"
        R"("stateless_reset_token":"{}")",
        frame.sequence_number, frame.retire_prior_to, frame.connection_id.hex(),
        hexadecimal(frame.stateless_reset_token));
  }
  void operator()(const core::retire_connection_id_frame& frame) const {
    put(R"(,"sequence_number":{})", frame.sequence_number);
  }
  void operator()(const core::path_challenge_frame& frame) const {
    put(R"(,"data":"{}")", hexadecimal(frame.data));
  }
  void operator()(const core::path_response_frame& frame) const {
    put(R"(,"data":"{}")", hexadecimal(frame.data));
  }
  void operator()(const core::connection_close_frame& frame) const {
    put(R"(,"error_space":"{}")", frame.application ? "application" : "transport");
    append_error(out, "error", frame.application, frame.error_code);
    const std::string_view reason = transport::as_text(frame.reason_phrase);
    if (is_utf8(reason)) {
      out += R"(,"reason":)";
      append_json_string(out, reason);
    } else {
      put(R"(,"reason_bytes":"{}")", hexadecimal(frame.reason_phrase));
    }
    if (!frame.application) put(R"(,"trigger_frame_type":{})", frame.frame_type);
  }
  void operator()(const core::handshake_done_frame&) const {}
};

}  // namespace

void append_error(std::string& out, std::string_view name, bool application, std::uint64_t code) {
  constexpr std::uint64_t first_alert = 0x100, last_alert = 0x1ff;
  const auto to = std::back_inserter(out);
  if (!application && code < transport_error_words.size()) {
    fmt::format_to(to, R"(,"{}":"{}")", name, transport_error_words[code]);
  } else if (!application && code >= first_alert && code <= last_alert) {
    fmt::format_to(to, R"(,"{}":"crypto_error_0x{:03x}")", name, code);
  } else {
    fmt::format_to(to, R"(,"{}":"unknown","error_code":{})", name, code);
  }
}

void append_frames(std::string& out, transport::bytes payload, std::uint64_t ack_delay_exponent) {
  transport::buffer_reader reader(payload);
  out += '[';
  bool first = true;
  while (!reader.empty()) {
    if (!first) out += ',';
    first = false;
    const transport::bytes rest = reader.rest();
    const auto frame = core::decode_frame(reader);
    if (!frame) {
      transport::buffer_reader again(rest);
      const std::uint64_t type = again.varint();
      fmt::format_to(std::back_inserter(out),
                     R"({{"frame_type":"unknown","frame_type_bytes":{},"raw":{{"length":{}}}}})",
                     again.ok() ? type : std::to_integer<unsigned>(rest.front()), rest.size());
      break;
    }
    fmt::format_to(std::back_inserter(out), R"({{"frame_type":"{}")",
                   core::frame_name(core::type_of(*frame)));
    std::visit(field_writer{out, ack_delay_exponent}, *frame);
    out += '}';
  }
  out += ']';
}

}  // namespace observers
}  // namespace v0
}  // namespace strata::quic
