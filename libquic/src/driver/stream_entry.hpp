// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "strata/quic/core/connection.hpp"
#include "strata/transport/buffer_list.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/stream_traits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace detail {

using transport::completion;
using transport::io_signature;
using transport::status_signature;

/// What waits on one stream, and the lasting result of each of its directions. The bytes are the
/// core's; `view` names the stream there.
class stream_entry {
 public:
  /// Completes what waits in the place that a cancellation signal names; see
  /// pending_operation::start.
  enum class place : std::uint8_t { read, write, closed };
  /// Calls abort() on this stream, if it and its driver are still there. Small enough for the slot.
  struct canceller {
    std::weak_ptr<transport::driver> driver;
    core::connection_handle connection;
    std::uint64_t stream = 0;
    void operator()(place which) const;
  };

  stream_entry(const transport::ready_list& ready, bool reads, bool writes);

  void read_some(core::stream_view view, std::span<const asio::mutable_buffer> buffers,
                 completion<io_signature> waiting, const canceller& cancel);
  void write_some(core::stream_view view, std::span<const asio::const_buffer> buffers,
                  completion<io_signature> waiting, const canceller& cancel);
  void write_borrowed(core::stream_view view, asio::const_buffer data, core::send_token token,
                      completion<status_signature> waiting);
  void finish(core::stream_view view, completion<status_signature> waiting);
  void wait_closed(completion<status_signature> waiting, const canceller& cancel);
  void reset(core::stream_view view, std::uint64_t code);
  /// The handle is destroyed: what waits is aborted, and the stream is let go as the contract's
  /// destructor row says.
  void abandon(core::stream_view view);
  void abort(place which);

  void on_event(core::stream_view view, const core::event& event);
  /// The connection is gone: everything that waits is served a last time and then fails with
  /// `cause`.
  void on_connection_closed(core::stream_view view, std::error_code cause);
  /// The context goes: handlers die uninvoked.
  void drop_handlers();

  transport::peer_codes codes() const noexcept { return codes_; }

 private:
  struct borrowed_write {
    core::send_token token = 0;
    completion<status_signature> waiting;
  };
  static constexpr std::size_t max_borrowed = 16;

  void serve_read(core::stream_view view);
  void serve_write(core::stream_view view);
  void serve_closed();
  bool all_arrived(core::stream_view view);
  void notice_end(core::stream_view view);
  void settle_borrowed(core::send_token token, std::error_code error);
  std::error_code abandoned_cause() const;

  transport::ready_list ready_;
  transport::pending_operation<io_signature> read_;
  transport::buffer_list<asio::mutable_buffer> read_into_;
  bool only_wait_ = false;
  transport::pending_operation<io_signature> write_;
  transport::buffer_list<asio::const_buffer> write_from_;
  transport::pending_operation<status_signature> closed_;
  std::vector<borrowed_write> borrowed_;
  std::error_code read_end_;  ///< The lasting result of reading; for a stream that only this side
                              ///< sends, closed from the start.
  std::error_code write_end_;
  bool read_in_order_ = false;
  transport::peer_codes codes_;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::quic
