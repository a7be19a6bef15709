// SPDX-License-Identifier: Apache-2.0
#include "observers/qlog_frames.hpp"

#include <fmt/format.h>

#include <iterator>

#include "core/wire/frame.hpp"

namespace strata::quic {
inline namespace v0 {
namespace observers {
namespace {

std::string hexadecimal(transport::bytes data) {
  std::string out;
  for (const std::byte octet : data)
    fmt::format_to(std::back_inserter(out), "{:02x}", std::to_integer<unsigned>(octet));
  return out;
}

std::string_view stream_kind(bool bidirectional) {
  return bidirectional ? "bidirectional" : "unidirectional";
}

/// The fields of one frame behind its "frame_type".
struct field_writer {
  std::string& out;

  template <class... Args>
  void put(fmt::format_string<Args...> form, Args&&... args) const {
    fmt::format_to(std::back_inserter(out), form, std::forward<Args>(args)...);
  }

  void operator()(const core::padding_frame& frame) const {
    put(R"(,"raw":{{"payload_length":{}}})", frame.length);
  }
  void operator()(const core::ping_frame&) const {}
  void operator()(const core::ack_frame& frame) const {
    put(R"(,"ack_delay":{},"acked_ranges":[)", static_cast<double>(frame.ack_delay) / 1000);
    bool first = true;
    frame.for_each_range([&](std::uint64_t smallest, std::uint64_t largest) {
      put("{}[{},{}]", first ? "" : ",", smallest, largest);
      first = false;
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
    put(R"(,"offset":{},"raw":{{"payload_length":{}}})", frame.offset, frame.data.size());
  }
  void operator()(const core::new_token_frame& frame) const {
    put(R"(,"token":{{"raw":{{"payload_length":{}}}}})", frame.token.size());
  }
  void operator()(const core::stream_frame& frame) const {
    put(R"(,"stream_id":{},"offset":{},"fin":{},"raw":{{"payload_length":{}}})", frame.stream_id,
        frame.offset, frame.fin, frame.data.size());
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
    put(R"(,"error_space":"{}","error":"unknown","error_code":{},"reason":)",
        frame.application ? "application" : "transport", frame.error_code);
    append_json_string(out, transport::as_text(frame.reason_phrase));
    if (!frame.application) put(R"(,"trigger_frame_type":{})", frame.frame_type);
  }
  void operator()(const core::handshake_done_frame&) const {}
};

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet >= 0x7f || c == '"' || c == '\\') {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", octet);
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_frames(std::string& out, transport::bytes payload) {
  transport::buffer_reader reader(payload);
  out += '[';
  bool first = true;
  while (!reader.empty()) {
    if (!first) out += ',';
    first = false;
    const auto frame = core::decode_frame(reader);
    if (!frame) {
      out += R"({"frame_type":"unknown"})";
      break;
    }
    fmt::format_to(std::back_inserter(out), R"({{"frame_type":"{}")",
                   core::frame_name(core::type_of(*frame)));
    std::visit(field_writer{out}, *frame);
    out += '}';
  }
  out += ']';
}

}  // namespace observers
}  // namespace v0
}  // namespace strata::quic
