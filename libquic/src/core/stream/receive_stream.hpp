// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "core/stream/flow_control.hpp"
#include "core/stream/reassembly_buffer.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// States of the receiving part of a stream (RFC 9000 section 3.2, figure 3).
enum class receive_state : std::uint8_t {
  recv,
  size_known,
  data_recvd,
  reset_recvd,
  data_read,
  reset_read
};

enum class receive_event : std::uint8_t {
  recv_stream_fin,
  recv_reset_stream,
  recv_all_data,  ///< Or nothing of what is missing is wanted any more.
  app_read_all_data,
  app_read_reset,
};

/// The arrows of figure 3, of the two optional ones the one that lets a reset win over data that
/// nobody has read; nullopt where there is none: then the event means nothing.
constexpr std::optional<receive_state> next_state(receive_state from, receive_event what) noexcept {
  using enum receive_state;
  switch (what) {
    case receive_event::recv_stream_fin:
      if (from == recv) return size_known;
      return std::nullopt;
    case receive_event::recv_reset_stream:
      if (from == recv || from == size_known || from == data_recvd) return reset_recvd;
      return std::nullopt;
    case receive_event::recv_all_data:
      if (from == size_known) return data_recvd;
      return std::nullopt;
    case receive_event::app_read_all_data:
      if (from == data_recvd) return data_read;
      return std::nullopt;
    case receive_event::app_read_reset:
      if (from == reset_recvd) return reset_read;
      return std::nullopt;
  }
  return std::nullopt;
}

/// The receiving part of one stream: its bytes, its final size, its window and its state.
class receive_stream {
 public:
  void open(const receive_window& window) noexcept;
  void clear(page_recycler& pages) noexcept;

  receive_state state() const noexcept { return state_; }
  /// More data, or a change of mind, can still come.
  bool is_receiving() const noexcept {
    return state_ == receive_state::recv || state_ == receive_state::size_known;
  }
  bool is_terminal() const noexcept {
    return state_ == receive_state::data_read || state_ == receive_state::reset_read;
  }
  bool is_discarding() const noexcept { return discarding_; }
  std::uint64_t stop_code() const noexcept { return code_; }
  const reassembly_buffer& buffer() const noexcept { return buffer_; }
  receive_window& window() noexcept { return window_; }
  /// The highest offset received, or the final size.
  std::uint64_t highest() const noexcept { return highest_; }

  // From the peer.
  /// Whether a frame may say that the stream goes up to `end`, and, if `is_final`, not further:
  /// every check of final sizes and of the stream's limit, for STREAM and RESET_STREAM alike. Gives
  /// how many bytes of credit it uses up.
  std::expected<std::uint64_t, protocol_failure> admit(std::uint64_t end,
                                                       bool is_final) const noexcept;
  /// A STREAM frame that was admitted. Nothing when there is nothing new to read.
  std::expected<bool, protocol_failure> on_data(reassembly_buffer::memory from,
                                                std::uint64_t offset, transport::bytes data,
                                                bool fin);
  /// A RESET_STREAM frame that was admitted; false when it changes nothing.
  bool on_reset(page_recycler& pages, std::uint64_t final_size) noexcept;
  void settle(reassembly_buffer::memory from) { buffer_.settle(from); }

  // The application.
  transport::result<std::size_t> read(reassembly_buffer::memory from, transport::mutable_bytes out,
                                      bool& fin);
  transport::result<transport::bytes> peek(const lent_views& lent, bool& fin);
  void consume(reassembly_buffer::memory from, std::uint64_t size) noexcept;
  /// Drops what is there and what comes. False when that was so already.
  bool discard(page_recycler& pages, std::uint64_t code) noexcept;
  /// A STOP_SENDING frame may still change something.
  bool wants_stop() const noexcept { return discarding_ && is_receiving(); }
  bool wants_credit() const noexcept { return state_ == receive_state::recv && !discarding_; }

  /// Bytes that were read or dropped since the last call, to be given back to the connection's
  /// window: each byte once, however the stream ends.
  std::uint64_t take_consumed() noexcept;

 private:
  static constexpr std::uint64_t unknown = UINT64_MAX;

  std::error_code read_failure() noexcept;
  void after_reading() noexcept;
  void skip_to_end() noexcept;
  void move(receive_event what) noexcept;

  reassembly_buffer buffer_;
  receive_window window_;
  std::uint64_t highest_ = 0;
  std::uint64_t final_size_ = unknown;
  std::uint64_t returned_ = 0;  ///< Of the connection's window.
  std::uint64_t code_ = 0;
  receive_state state_ = receive_state::recv;
  bool discarding_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
