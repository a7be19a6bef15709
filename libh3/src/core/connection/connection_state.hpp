// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/connection/flood_budget.hpp"
#include "core/connection/request_table.hpp"
#include "core/connection/ring.hpp"
#include "core/field/section_checker.hpp"
#include "core/frame/frame_rules.hpp"
#include "core/qpack/decoder.hpp"
#include "core/qpack/encoder.hpp"
#include "strata/h3/core/connection.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// A unidirectional stream of the peer. Only the critical ones live long; others end as soon as
/// their type is known.
struct peer_stream {
  enum class kind_type : std::uint8_t { untyped, control, qpack_encoder, qpack_decoder };
  std::uint64_t id = 0;
  varint_reader type;
  kind_type kind = kind_type::untyped;
};

/// A unidirectional stream of ours. Its bytes wait from the first moment, before QUIC has opened
/// it.
struct own_stream {
  std::optional<std::uint64_t> id;
  std::vector<std::byte> unsent;
  bool full = false;
};

/// What connection points to. The files that define its members: connection_state.cpp (lifetime,
/// events, errors, time), request_receive.cpp, request_send.cpp, peer_streams.cpp (control and
/// QPACK streams).
class connection_state {
 public:
  connection_state(const connection_config& config, transport::random_source& random);

  // Receiving; see connection.
  received receive(time_point now, std::uint64_t stream_id, bytes input, bool fin);
  void stream_reset(time_point now, std::uint64_t stream_id, std::uint64_t code);
  void stop_sending(time_point now, std::uint64_t stream_id, std::uint64_t code);
  std::optional<section_role> take_section(std::uint64_t stream_id, field_section& section);
  void consume_body(std::uint64_t stream_id, std::size_t size);
  void stop_reading(std::uint64_t stream_id, error_code code);

  // Sending.
  result<void> open_request(std::uint64_t stream_id);
  result<void> send_headers(std::uint64_t stream_id, std::span<const field_line> lines, bool fin);
  result<std::size_t> send_body(std::uint64_t stream_id, std::span<const bytes> pieces, bool fin);
  result<void> send_trailers(std::uint64_t stream_id, std::span<const field_line> lines);
  void reset(std::uint64_t stream_id, error_code code);
  bool poll_output(output& out);
  void sent(std::uint64_t stream_id, std::size_t size);
  void writable(std::uint64_t stream_id);
  void opened(std::uint64_t stream_id);
  void shutdown();

  // The rest.
  std::optional<time_point> next_timeout() const;
  void handle_timeout(time_point now);
  bool poll_event(event& out);
  bool poll_command(transport_command& out);
  void close(error_code code, const char* reason);
  const connection_error* closed() const noexcept { return closed_ ? &*closed_ : nullptr; }
  const settings& peer_settings() const noexcept { return peer_settings_; }
  std::size_t request_count() const noexcept { return requests_.size(); }

 private:
  struct blocked_deadline {
    std::uint64_t stream_id = 0;
    time_point deadline{};
  };
  enum own_index : std::size_t { own_control, own_decoder, own_encoder, own_count };

  bool is_server() const noexcept { return config_.role == role::server; }

  // connection_state.cpp
  void tell(event_kind kind, std::uint64_t stream_id, std::uint64_t value = 0);
  void tell(event_kind kind, request_stream& stream, std::uint64_t value = 0);
  void command(transport_command::kind_type kind, request_stream& stream, error_code code);
  void charge();
  void end_receiving(request_stream& stream, bool complete);
  void end_sending(request_stream& stream);
  void fail_stream(request_stream& stream, error_code code);
  void abandon(request_stream& stream, error_code code);
  void release_if_over(request_stream& stream);

  // request_receive.cpp
  received receive_request(request_stream& stream, bytes input, bool fin);
  request_stream* find_or_accept(std::uint64_t stream_id);
  request_stream* accept_up_to(std::uint64_t stream_id);
  bool begin_frame(request_stream& stream);
  void begin_section(request_stream& stream);
  void begin_content(request_stream& stream);
  bool take_payload(request_stream& stream, bytes& input, bytes& body);
  bool take_section_payload(request_stream& stream, bytes& input);
  void decode_section(request_stream& stream, bytes encoded);
  void keep_encoded(request_stream& stream, bytes piece);
  void block(request_stream& stream);
  void unblock(request_stream& stream) noexcept;
  void drop_encoded(request_stream& stream) noexcept;
  void judge_section(request_stream& stream);
  const char* judge_request(request_stream& stream);
  const char* judge_response(request_stream& stream);
  void offer_section(request_stream& stream, section_role role, std::uint64_t value);
  void end_of_message(request_stream& stream);
  void decode_unblocked();

  // request_send.cpp
  result<void> check_lines(std::span<const field_line> lines, section_checker& checker) const;
  result<void> check_head(request_stream& stream, const section_checker& checker, bool fin) const;
  void note_head_sent(request_stream& stream, const section_checker& checker);
  void append_section(request_stream& stream, std::span<const field_line> lines);
  void queue_output(request_stream& stream);
  void keep_borrowed();
  bool offer_own_stream(output& out);
  bool offer_request(request_stream& stream, output& out);
  void sent_own(own_stream& stream, std::size_t size);

  // peer_streams.cpp
  void receive_peer_stream(std::uint64_t stream_id, bytes input, bool fin);
  peer_stream* find_or_accept_peer_stream(std::uint64_t stream_id);
  void forget_peer_stream(std::uint64_t stream_id);
  bool claim_type(peer_stream& stream, bool fin);
  bool claim_critical(peer_stream& stream, peer_stream::kind_type kind);
  void receive_control(bytes input);
  void begin_control_frame();
  void run_control_frame();
  void run_settings();
  void run_identifier_frame(frame_type type, std::uint64_t id);
  void run_goaway(std::uint64_t id);
  void reject_from(std::uint64_t id);

  connection_config config_;
  time_point now_{};
  std::optional<connection_error> closed_;
  flood_budget budget_;
  qpack::decoder decoder_;
  qpack::encoder encoder_;
  settings peer_settings_;
  request_table requests_;
  ring<event> events_;
  ring<transport_command> commands_;
  std::vector<blocked_deadline>
      blocked_;                        // one per blocked stream, in the order of their deadlines
  std::uint64_t next_request_id_ = 0;  // server: the first that the peer has not opened
  std::size_t parked_bytes_ = 0;       // in all request_stream::encoded

  // The peer's unidirectional streams.
  std::vector<peer_stream> peer_streams_;
  std::uint64_t next_peer_stream_id_;
  std::uint8_t critical_seen_ =
      0;  // types ever opened: the second is an error also after the first has gone
  frame_reader control_frames_;
  bool control_skips_ = false;
  bool settings_seen_ = false;
  std::vector<std::byte> control_payload_;
  std::optional<std::uint64_t> peer_goaway_;
  std::optional<std::uint64_t> peer_max_push_id_;

  // Sending.
  std::array<own_stream, own_count> own_;
  std::size_t own_opened_ = 0;
  ring<std::uint64_t> ready_;  // request streams with output
  std::optional<std::uint64_t> goaway_sent_;
  std::vector<std::byte> encoded_;  // scratch for one section
  std::array<bytes, limits::max_body_pieces>
      borrowed_{};  // content lent to send_body(), behind the stream's unsent bytes
  std::size_t borrowed_count_ = 0;
  std::uint64_t borrowed_by_ = 0;
  std::array<bytes, limits::max_body_pieces + 1> offered_{};
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
