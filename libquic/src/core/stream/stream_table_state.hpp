// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/stream/stream.hpp"
#include "core/stream/stream_index.hpp"
#include "core/stream/stream_table.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

inline std::unexpected<protocol_failure> refuse(transport_error code, std::uint64_t frame_type,
                                                const char* reason) {
  return std::unexpected(protocol_failure{code, frame_type, reason});
}

/// The two low bits of a stream ID (RFC 9000 section 2.1).
struct stream_type {
  std::uint64_t bits = 0;

  static stream_type of(std::uint64_t id) noexcept { return {id & 3}; }
  static stream_type made_by(role side, bool bidirectional) noexcept {
    return {(side == role::server ? 1u : 0u) | (bidirectional ? 0u : 2u)};
  }
  bool is_bidirectional() const noexcept { return (bits & 2) == 0; }
  bool is_made_by(role side) const noexcept { return ((bits & 1) != 0) == (side == role::server); }
  std::uint64_t id_of(std::uint64_t number) const noexcept { return number * 4 + bits; }
};

/// What is inside stream_table, and what its three source files share: streams coming and going
/// (stream_table_state.cpp), frames from the peer (stream_table_input.cpp), frames to it
/// (stream_table_output.cpp).
struct stream_table::state {
  /// Streams of one direction that this side opens.
  struct opening {
    std::uint64_t limit = 0;   ///< Of the peer.
    bool refused = false;      ///< open() has failed at this limit: report when it grows.
    bool blocked_due = false;  ///< STREAMS_BLOCKED is to be sent.
  };
  /// Streams of one direction that the peer opens.
  struct accepting {
    std::uint64_t at_a_time = 0;
    std::uint64_t limit = 0;  ///< Announced.
    std::uint64_t closed = 0;
    std::uint64_t accepted = 0;
    bool reported = false;  ///< stream_opened was, since the last accept().
    bool asked = false;     ///< The peer says that it is blocked.
    bool lost = false;      ///< The newest announcement is.
    bool due = false;       ///< MAX_STREAMS is to be sent.

    std::uint64_t next_limit() const noexcept;
  };
  /// Which parts of streams a frame may name, to be found before it is looked at any further.
  enum class part : std::uint8_t { sending, receiving };

  state(const config& wanted, event_queue& queue, page_recycler& recycler);

  // Streams, in stream_table_state.cpp.
  stream* find(std::uint64_t id) noexcept;
  stream& create(std::uint64_t id);
  /// The stream that the peer's frame names, opened if it may be; nullptr for one that is closed.
  std::expected<stream*, protocol_failure> find_for_peer(std::uint64_t id, part wanted,
                                                         std::uint64_t frame_type);
  void open_for_peer(stream_type type, std::uint64_t count);
  /// After anything that may have ended a part: gives the peer's stream back to it, and the memory
  /// to the next one.
  void close_if_over(stream& one);
  std::uint64_t send_limit_of(stream_type type) const noexcept;
  receive_window receive_window_of(stream_type type) const noexcept;
  std::size_t bidi(bool bidirectional) const noexcept { return bidirectional ? 0 : 1; }
  stream_index& index_of(stream_type type) noexcept { return indices[type.bits]; }
  send_buffer::release_target target(const stream& one) noexcept { return {pages, events, one.id}; }
  reassembly_buffer::memory memory() noexcept { return {pages, lent}; }

  // Both ways.
  /// After anything that changes what a stream has to send.
  void reschedule(stream& one);
  void add_control(stream& one, stream_control what) noexcept;
  /// Frames that have lost their sense before they were written: has_output() is to be exact.
  void drop_stale_control(stream& one) noexcept;
  void report_readable(stream& one);
  /// Gives credit back for what was read or dropped since the last time.
  void return_credit(stream& one);
  void reset_sending(stream& one, std::uint64_t code, send_stream::ending why);
  void stop_receiving(stream& one, std::uint64_t code);

  // Input, in stream_table_input.cpp.
  /// receive_stream::admit() and the same for the connection.
  std::expected<std::uint64_t, protocol_failure> admit(const stream& one, std::uint64_t end,
                                                       bool is_final) const;

  // Output, in stream_table_output.cpp.
  /// After anything that max_streams_due() looks at.
  void update_max_streams(bool bidirectional) noexcept;
  bool max_streams_due(bool bidirectional) const noexcept;
  bool has_connection_control() const noexcept {
    return data_window.update_due() || accepted[0].due || accepted[1].due;
  }
  bool has_blocked() const noexcept {
    return opened[0].blocked_due || opened[1].blocked_due ||
           (data_limit.blocked_due() && schedule.has_fresh());
  }
  void write_connection_control(packet_payload& payload);
  void write_blocked(packet_payload& payload);
  void write_stream_control(packet_payload& payload);
  bool write_control_of(stream& one, packet_payload& payload);
  bool write_stream_frame(stream& one, packet_payload& payload);
  /// The stream a frame was about; nullptr when its memory serves another one since.
  stream* still_there(const sent_frame& sent) noexcept {
    stream* one = sent.slot < slots.size() ? slots[sent.slot].get() : nullptr;
    return one != nullptr && one->id == sent.id ? one : nullptr;
  }
  void on_stream_frame_lost(stream& one, const sent_frame& sent);

  config settings;
  event_queue& events;
  page_recycler& pages;
  lent_views lent;
  bool over = false;

  transport::time_point now{};  ///< Of the last call that told.
  transport::duration smoothed_rtt{};
  std::uint64_t peer_bidi_local = 0;  ///< First limits of the peer, by its own names.
  std::uint64_t peer_bidi_remote = 0;
  std::uint64_t peer_uni = 0;

  send_limit data_limit;
  receive_window data_window;
  std::uint64_t data_received = 0;
  std::array<opening, 2> opened{};  ///< By bidi().
  std::array<accepting, 2> accepted{};
  std::array<stream_index, 4> indices{};  ///< By stream_type::bits.

  std::vector<std::unique_ptr<stream>> slots;  ///< Those not in use have no id.
  std::vector<std::uint32_t> free_slots;       ///< Last in, first out.
  std::vector<stream*> touched;                ///< With bytes lent from this batch.
  stream* last_found = nullptr;
  send_schedule schedule;
  intrusive_ring<control_tag> control_waiting;
  std::uint32_t probed = 0;  ///< Where queue_probe_data() goes on looking.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
