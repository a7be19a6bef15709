// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "core/anytls/authentication.hpp"
#include "core/anytls/event_board.hpp"
#include "core/anytls/frame.hpp"
#include "core/anytls/heartbeat.hpp"
#include "core/anytls/output_plan.hpp"
#include "core/anytls/packet_records.hpp"
#include "core/anytls/stream.hpp"
#include "core/memory/glitch_budget.hpp"
#include "core/memory/lent_views.hpp"
#include "core/memory/page_chain.hpp"
#include "core/memory/page_recycler.hpp"
#include "core/memory/stream_table.hpp"
#include "strata/mux/core/anytls_session.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// The session behind anytls_session and its views, whose members have the same names and are
/// explained there. Frames come in by session_receive.cpp, leave by session_output.cpp; the
/// application's commands are in session_streams.cpp, ends and timers in session_closing.cpp.
class anytls_state {
 public:
  anytls_state(const anytls_config& config, transport::random_source& random);
  ~anytls_state();
  anytls_state(const anytls_state&) = delete;
  anytls_state& operator=(const anytls_state&) = delete;

  void receive(time_point now, bytes input);
  void release_input();
  void receive_end(time_point now);
  void carrier_lost(std::error_code cause);
  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  bool poll_event(anytls_event& out) noexcept { return events_.poll(out); }
  std::size_t poll_output(time_point now, std::span<bytes> pieces);
  void sent(std::size_t size);
  bool wants_input() const noexcept;
  bool finished() const noexcept;

  result<std::uint32_t> open();
  std::optional<std::uint32_t> accept();
  result<std::size_t> write(std::uint32_t id, std::span<const bytes> pieces);
  result<std::size_t> read(std::uint32_t id, std::span<const mutable_bytes> pieces);
  result<std::size_t> peek(std::uint32_t id, std::span<bytes> pieces, bool& end);
  void consume(std::uint32_t id, std::size_t size);
  result<void> finish(std::uint32_t id, time_point now);
  void reset(std::uint32_t id);
  void forget(std::uint32_t id);
  void acknowledge(std::uint32_t id);
  void refuse(std::uint32_t id, std::string_view why);
  std::error_code failure(std::uint32_t id) const;
  std::string_view refusal(std::uint32_t id) const;

  void drain();
  void close(time_point now);
  void reject(time_point now, std::string_view text);
  const close_reason* closed() const noexcept { return closed_ ? &*closed_ : nullptr; }
  std::string_view alert() const noexcept { return alert_; }
  std::string_view user() const noexcept;
  std::string_view peer_name() const noexcept { return peer_name_; }
  unsigned version() const noexcept { return version_; }
  const std::optional<anytls_padding_scheme>& pushed_padding() const noexcept { return pushed_; }
  bytes rejected() const noexcept { return rejected_.front(); }
  void consume_rejected(std::size_t size);
  anytls_statistics statistics() const noexcept;

 private:
  using stream = anytls::stream;
  using command = anytls::command;
  using frame_header = anytls::frame_header;
  using queue_memory = receive_queue::memory;

  bool is_client() const noexcept { return config_.role == role::client; }
  bool is_authenticated() const noexcept {
    return is_client() || authentication_.reached() == anytls::authentication::stage::accepted;
  }

  // Receiving.
  bool receive_authentication(bytes& input);
  void on_rejected(bytes rest);
  void decode_input(bytes input);
  void on_frame(std::span<const std::byte, frame_header::encoded_size> encoded);
  void on_session_frame(const frame_header& header);
  bool may_send(command which) const noexcept;
  void collect(const frame_header& header, std::size_t most);
  void on_syn(std::uint32_t id);
  void on_psh(const frame_header& header);
  void on_fin(std::uint32_t id);
  void on_heart_request(std::uint32_t id);
  void take_content(bytes piece);
  void on_collected();
  void on_settings();
  void on_server_settings();
  void on_update_padding();
  void on_alert();
  void on_synack();
  void on_acknowledged(stream& of);
  void deliver(stream& to, bytes piece);
  bool is_overrun(const stream& of) const noexcept;
  void refuse_syn(std::uint32_t id);
  void enable_version_2();
  void glitch(std::uint32_t count = 1);
  void note_unknown(std::uint32_t id);

  // Output.
  bool holds_first_packet();
  void queue_due();
  void tell_of_new_streams();
  void queue_control(command which, std::uint32_t id, bytes content = {}) noexcept;
  void poll_authentication(piece_list& pieces);
  void poll_packet(piece_list& pieces);
  void plan(piece_list& pieces, std::size_t most_payloads);
  bool plan_rest(piece_list& pieces);
  bool plan_control(piece_list& pieces);
  void plan_streams(piece_list& pieces, std::size_t most_payloads);
  bool plan_payload(stream& of, piece_list& pieces);
  bool plan_fin(stream& of, piece_list& pieces);
  std::size_t gather(stream& of, std::size_t most, piece_list& pieces);
  void mark_planned(stream& of) noexcept;
  void commit(std::size_t size);
  void begin(const anytls::output_plan::entry& frame);
  std::size_t advance_begun(std::size_t size);
  void on_payload_taken(stream& of, std::size_t size);
  void end_plan();
  void end_list();

  // Streams.
  stream* find_owned(std::uint32_t id) const noexcept;
  result<void> may_write(const stream* of) const noexcept;
  std::error_code read_error(stream& of);
  std::size_t watermark(const stream& of) const noexcept;
  void after_read(stream& of, std::size_t size);
  void recount_unread(stream& of, std::size_t before) noexcept;
  void update_output(stream& of);
  void announce_readable(stream& of);
  void announce_room();
  void report(stream& of, std::string_view refusal);
  void start_opening(stream& of, bool was_silent);
  void hold_end(stream& of);
  void stop_holding(stream& of) noexcept;

  // Their ends.
  void let_reading_go(stream& of);
  void give_up(stream& of);
  void end_by_fin(stream& of);
  void fail_stream(stream& of, std::error_code cause);
  void drop_unread(stream& of);
  void drop_output(stream& of);
  void drop_output_now(stream& of);
  void leave_timers(stream& of) noexcept;
  void settle(stream& of);
  void retire(stream& of);

  // The session's end.
  void advance_clock(time_point now) noexcept;
  void hear(time_point now) noexcept;
  std::optional<time_point> next_silence() const;
  bool is_silent_for_too_long() noexcept;
  void expire_streams();
  void expire_authentication();
  void end_session(const close_reason& reason);
  void end_streams();
  void violate(errc why, std::string_view text);
  void queue_alert(std::string_view text);
  void lose_carrier(const close_reason& reason);
  void out_of_memory();
  void release_memory() noexcept;
  /// What commands and input have made due: at the end of each.
  void conclude();

  queue_memory input_memory() noexcept { return {pages_, lent_}; }

  anytls_config config_;
  transport::random_source& random_;
  page_recycler pages_{limits::kept_pages};
  lent_views lent_;
  anytls::event_board events_;
  stream_table<stream> streams_;
  glitch_budget glitches_{limits::anytls::glitch_burst, limits::anytls::glitches_per_second};
  anytls::heartbeat heartbeat_;
  anytls::authentication authentication_;
  anytls_statistics statistics_;
  std::optional<close_reason> closed_;
  std::string alert_;
  std::string peer_name_;
  std::optional<anytls_padding_scheme> pushed_;
  page_chain rejected_;
  time_point now_{};

  intrusive_ring<stream, anytls::accept_tag> unaccepted_;
  intrusive_ring<stream, anytls::lent_tag> lending_;
  intrusive_ring<stream, anytls::syn_tag> untold_;  ///< The peer was not told of them.
  intrusive_ring<stream, anytls::data_tag> sendable_;
  // By time: all in one wait equally long.
  intrusive_ring<stream, anytls::opening_tag> opening_;
  intrusive_ring<stream, anytls::silent_tag> silent_;  ///< Nothing came since the peer was told.
  intrusive_ring<stream, anytls::report_tag> unreported_;
  intrusive_ring<stream, anytls::hold_tag> holding_;
  intrusive_ring<stream, anytls::hold_tag> holding_answered_;  ///< Those that were answered.
  intrusive_ring<stream, anytls::planned_tag> planned_;        ///< Named by the list that is out.

  // The frame that is coming in.
  std::array<std::byte, frame_header::encoded_size> header_{};
  std::size_t header_held_ = 0;
  std::size_t content_left_ = 0;
  stream* target_ = nullptr;      ///< Whose bytes the content is.
  bool collects_ = false;         ///< The content goes to text_. Neither: nobody wants it.
  std::size_t collect_most_ = 0;  ///< Bytes of it that are kept.
  frame_header collected_;
  std::string text_;

  page_chain control_;  ///< Frames of the session, encoded, in the order in which they leave.
  anytls::output_plan plan_;
  anytls::begun_frame begun_;
  anytls::packet_records records_;
  std::vector<std::uint32_t> sizes_;
  std::uint32_t packet_ = 0;  ///< The next one; zero is the authentication.
  std::optional<std::uint32_t> answer_;
  std::optional<time_point> first_packet_deadline_;
  std::optional<time_point> authentication_deadline_;
  std::optional<time_point> idle_since_;
  time_point flush_deadline_{};

  std::uint32_t last_id_ = 0;   ///< The newest, opened here or by the peer.
  std::size_t live_ = 0;        ///< Streams that are not retired.
  std::size_t over_limit_ = 0;  ///< Streams with more unread bytes than they may have.
  std::size_t copied_ = 0;      ///< Unsent bytes of all streams.
  std::uint64_t unread_ = 0;
  unsigned version_ = 1;
  bool version_known_ = false;
  bool settings_done_ = false;  ///< Client: queued. Server: received.
  bool listed_ = false;         ///< A list waits for sent().
  bool flush_waits_ = false;    ///< The session is over, and an alert is to be sent.
  bool carrier_ended_ = false;
  bool draining_ = false;
  bool fallback_ = false;
  bool awaits_stream_opened_ = true;
  bool awaits_streams_available_ = false;
  bool was_deaf_ = false;  ///< wants_input() was false: silence proves nothing.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
