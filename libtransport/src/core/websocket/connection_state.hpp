// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>

#include "core/websocket/flood_budget.hpp"
#include "core/websocket/frame_header.hpp"
#include "core/websocket/message_queue.hpp"
#include "core/websocket/output_queue.hpp"
#include "core/websocket/utf8_validator.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_connection.hpp"

namespace strata::transport {
inline namespace v0 {

/// What a public core header does not show. Receiving, sending and ending are three files.
class websocket_connection::state {
 public:
  state(const websocket_config& config, random_source& random);

  // connection_receive.cpp
  void receive(time_point now, bytes input);
  void release_input();
  bool wants_input() const noexcept;
  result<std::size_t> read(mutable_bytes out);
  result<bytes> peek();
  void consume(std::size_t size);
  result<websocket_part> read_message(mutable_bytes out);

  // connection_send.cpp
  std::size_t poll_output(time_point now, std::span<bytes> pieces);
  void sent(std::size_t size);
  std::size_t room() const noexcept;
  result<std::size_t> write(std::span<const bytes> pieces);
  result<std::size_t> send(websocket_kind kind, std::span<const bytes> pieces, bool end);
  result<void> ping(bytes payload);

  // connection_end.cpp
  result<void> finish(time_point now);
  result<void> close(time_point now, std::uint16_t code, std::string_view reason);
  void receive_end(time_point now);
  void lose(std::error_code cause);
  void reset();
  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const noexcept;
  bool finished() const noexcept;
  bool poll_event(websocket_event& out) noexcept;
  const websocket_close* closed() const noexcept { return is_over() ? &close_ : nullptr; }

  websocket_mode mode() const noexcept { return config_.mode; }

 private:
  bool is_client() const noexcept { return config_.role == websocket_role::client; }
  /// Nothing that comes matters any more.
  bool ignores_input() const noexcept { return bool(read_end_); }
  /// Both directions have ended.
  bool is_over() const noexcept { return read_end_ && write_end_; }
  bool both_closed() const noexcept { return close_queued_ && close_received_; }

  // Receiving.
  bytes read_header(time_point now, bytes input);
  bool begin_frame(time_point now, const websocket::frame_header& header);
  bool begin_message_frame(time_point now);
  bytes read_payload(time_point now, bytes input);
  bool check_text(bytes payload);
  void end_frame(time_point now);
  void end_control_frame(time_point now);
  void note_readable() noexcept;

  // Sending.
  result<std::size_t> admit(std::size_t total) noexcept;
  void append_message(std::span<const bytes> pieces, std::size_t size, bool end);
  bool check_sent_text(std::span<const bytes> pieces, std::size_t size, bool end);
  void note_writable() noexcept;

  // Ending.
  void fail(time_point now, std::uint16_t code, errc cause);
  void queue_close(time_point now, std::uint16_t code, std::string_view reason);
  void on_close_frame(time_point now, bytes payload);
  void end_reading(std::error_code cause);
  void end_writing(std::error_code cause);
  void note_closed();
  void keep_alive(time_point now);
  std::optional<time_point> keepalive_deadline() const noexcept;
  void touch(time_point now) noexcept;

  const websocket_config config_;
  websocket::message_queue unread_;
  websocket::output_queue output_;
  websocket::flood_budget flood_;

  // The frame that is coming.
  std::array<std::byte, websocket::max_frame_header> header_bytes_;
  std::uint8_t header_size_ = 0;
  std::uint8_t header_wanted_ = 2;
  bool in_payload_ = false;
  websocket::frame_header frame_;
  std::uint64_t frame_left_ = 0;
  std::array<std::byte, websocket::max_control_payload> control_;
  std::uint8_t control_size_ = 0;

  // The message that is coming.
  bool in_message_ = false;
  websocket_kind kind_ = websocket_kind::binary;
  std::uint64_t message_size_ = 0;
  websocket::utf8_validator text_;

  // The message that goes out.
  bool sends_message_ = false;
  websocket_kind sent_kind_ = websocket_kind::binary;
  websocket::utf8_validator sent_text_;

  // Where each direction stands: no error while it is open.
  std::error_code read_end_;
  std::error_code write_end_;
  bool close_queued_ = false;
  bool close_received_ = false;
  bool failed_ = false;
  bool carrier_ended_ = false;
  bool gone_ = false;  // nothing can be sent any more
  websocket_close close_;

  // Timers.
  std::optional<time_point> hold_until_;
  std::optional<time_point> close_until_;
  time_point last_input_{};
  time_point last_activity_{};
  bool started_ = false;
  std::optional<time_point> pinged_at_;

  // Events that wait, and those that were told and wait for their command.
  std::array<std::byte, websocket::max_control_payload> ping_;
  std::uint8_t ping_size_ = 0;
  bool ping_awaited_ = false;
  bool readable_waits_ = false;
  bool readable_told_ = false;
  bool wants_writable_ = false;
  bool writable_waits_ = false;
  bool pong_waits_ = false;
  bool closed_waits_ = false;
};

}  // namespace v0
}  // namespace strata::transport
