// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>

#include "core/memory/glitch_budget.hpp"
#include "core/memory/lent_views.hpp"
#include "core/memory/page_chain.hpp"
#include "core/memory/page_recycler.hpp"
#include "core/memory/ring_buffer.hpp"
#include "core/memory/stream_table.hpp"
#include "core/yamux/event_board.hpp"
#include "core/yamux/flow_window.hpp"
#include "core/yamux/keep_alive.hpp"
#include "core/yamux/output_plan.hpp"
#include "core/yamux/recent_ids.hpp"
#include "core/yamux/stream.hpp"
#include "strata/mux/core/yamux_session.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// The session behind yamux_session and its views, whose members have the same names and are
/// explained there. Frames come in by session_receive.cpp, leave by session_output.cpp; the
/// application's commands are in session_streams.cpp, ends and timers in session_closing.cpp.
class yamux_state {
 public:
  yamux_state(const yamux_config& config, transport::random_source& random);
  ~yamux_state();
  yamux_state(const yamux_state&) = delete;
  yamux_state& operator=(const yamux_state&) = delete;

  void receive(time_point now, bytes input);
  void release_input();
  void receive_end(time_point now);
  void carrier_lost(std::error_code cause);
  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  bool poll_event(event& out) noexcept { return events_.poll(out); }
  std::size_t poll_output(time_point now, std::span<bytes> pieces);
  void sent(std::size_t size);
  bool wants_input() const noexcept;
  bool finished() const noexcept;

  result<std::uint32_t> open();
  std::optional<std::uint32_t> accept();
  result<std::size_t> write(std::uint32_t id, std::span<const bytes> pieces);
  result<std::size_t> lend(std::uint32_t id, std::span<const bytes> pieces);
  std::size_t revoke(std::uint32_t id);
  result<std::size_t> read(std::uint32_t id, std::span<const mutable_bytes> pieces);
  result<std::size_t> peek(std::uint32_t id, std::span<bytes> pieces, bool& end);
  void consume(std::uint32_t id, std::size_t size);
  result<void> finish(std::uint32_t id);
  void reset(std::uint32_t id, std::uint32_t code);
  void stop(std::uint32_t id);
  void forget(std::uint32_t id);

  void go_away();
  void close(time_point now, go_away_code code);
  void ping();
  const close_reason* closed() const noexcept { return closed_ ? &*closed_ : nullptr; }
  yamux_statistics statistics() const noexcept;

 private:
  using queue_memory = receive_queue::memory;

  // Receiving.
  void decode_input(bytes input);
  void on_frame(std::span<const std::byte, frame_header::encoded_size> encoded);
  void on_stream_frame(const frame_header& header);
  void on_unknown_stream(const frame_header& header);
  stream* on_syn(const frame_header& header);
  bool may_take_stream() const noexcept;
  void refuse(std::uint32_t id);
  void on_acknowledged(stream& of);
  void on_payload_header(stream& of, const frame_header& header);
  void on_window_update(stream& of, const frame_header& header);
  void on_fin(stream& of);
  void on_reset(stream& of, std::uint32_t code);
  void on_ping(const frame_header& header);
  void on_go_away(std::uint32_t code);
  void take_payload(bytes piece);
  void deliver(stream& to, bytes piece);
  void glitch(std::uint32_t count = 1);

  // Output.
  void plan_rest(piece_list& pieces);
  void plan_session_frames(piece_list& pieces);
  void plan_control(piece_list& pieces);
  void plan_streams(piece_list& pieces);
  bool plan_payload(stream& of, piece_list& pieces);
  bool plan_fin(stream& of, piece_list& pieces);
  bool plan_frame(const output_plan::entry& frame, piece_list& pieces);
  void mark_planned(stream& of) noexcept;
  std::uint16_t plan_flags(stream& of) noexcept;
  std::size_t advance(const output_plan::entry& frame, std::size_t size);
  void begin(const output_plan::entry& frame);
  void begin_flags(stream& of, const frame_header& header);
  void begin_control(stream& of, const frame_header& header);
  void begin_data(stream& of, const frame_header& header);
  std::size_t advance_begun(std::size_t size);
  void on_payload_taken(stream& of, std::size_t size);
  void end_plan();

  // Streams.
  stream* find_owned(std::uint32_t id) const noexcept;
  result<void> may_write(const stream* of) const noexcept;
  std::error_code read_error(stream& of);
  std::size_t watermark(const stream& of) const noexcept;
  void recount_copied(const stream& of, std::size_t before) noexcept;
  void widen(stream& of);
  void await_writable(stream& of);
  void on_consumed(stream& of, std::size_t size);
  void after_read(stream& of, std::size_t size);
  void update_output(stream& of);
  void update_control(stream& of);
  void announce_readable(stream& of);
  void announce_room();

  // Their ends.
  void give_up(stream& of, std::uint32_t code);
  void stop_reading(stream& of);
  void let_go(stream& of);
  void end_by_reset(stream& of);
  void fail_stream(stream& of, std::error_code cause);
  void drop_unread(stream& of);
  void drop_output(stream& of);
  void drop_output_now(stream& of);
  void settle(stream& of);
  void retire(stream& of);

  // The session's end.
  void advance_clock(time_point now) noexcept;
  void expire_streams();
  void end_session(const close_reason& reason, bool says_go_away);
  void end_streams();
  void close_by_application(go_away_code code);
  void fail_session(errc why, go_away_code code);
  void fail_carrier(const close_reason& reason);
  void out_of_memory();
  /// What commands and input have made due: at the end of each.
  void conclude();

  queue_memory input_memory() noexcept { return {pages_, lent_}; }
  send_queue::memory output_memory() noexcept { return {pages_, runs_}; }

  yamux_config config_;
  page_recycler pages_{limits::kept_pages};
  lent_run_pool runs_;
  lent_views lent_;
  event_board events_;
  stream_table<stream> streams_;
  window_growth growth_;
  keep_alive keep_alive_;
  glitch_budget glitches_{limits::yamux::glitch_burst, limits::yamux::glitches_per_second};
  recent_ids peer_ids_;
  yamux_statistics statistics_;
  std::optional<close_reason> closed_;
  time_point now_{};
  bool clock_known_ = false;

  intrusive_ring<stream, accept_tag> unaccepted_;
  intrusive_ring<stream, lent_tag> lending_;
  intrusive_ring<stream, control_tag> control_;
  intrusive_ring<stream, data_tag> sendable_;
  intrusive_ring<stream, opening_tag> opening_;  ///< By deadline: all wait equally long.
  intrusive_ring<stream, closing_tag> closing_;  ///< The same.
  intrusive_ring<stream, planned_tag> planned_;  ///< Named by the list that waits for sent().
  ring_buffer<std::uint32_t, limits::yamux::max_pending_pongs> pongs_;
  ring_buffer<std::uint32_t, limits::yamux::max_pending_refusals> refusals_;

  // The frame that is coming in.
  std::array<std::byte, frame_header::encoded_size> header_{};
  std::size_t header_held_ = 0;
  std::uint32_t payload_left_ = 0;
  stream* target_ = nullptr;  ///< Null: nobody wants the payload.
  bool fin_follows_ = false;

  output_plan plan_;
  begun_frame begun_;
  page_chain orphaned_;  ///< The rest of a begun frame whose stream has dropped its bytes.

  std::uint32_t next_id_;     ///< Zero: all are used up.
  std::size_t live_ = 0;      ///< Streams that are not retired.
  std::size_t incoming_ = 0;  ///< Of those, opened by the peer.
  std::size_t unacked_ = 0;   ///< Of those, opened here and not acknowledged.
  std::size_t copied_ = 0;    ///< Unsent bytes in pages, of all streams.
  std::uint64_t unread_ = 0;
  time_point flush_deadline_{};
  std::uint32_t go_away_code_ = 0;
  bool go_away_waits_ = false;
  bool carrier_ended_ = false;
  bool going_away_ = false;
  bool peer_goes_away_ = false;
  bool awaits_stream_opened_ = true;
  bool awaits_streams_available_ = false;
  bool reports_pong_ = false;
  bool was_deaf_ = false;  ///< wants_input() was false: silence proves nothing.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
