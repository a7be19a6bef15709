// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "driver/connection_entry.hpp"
#include "strata/quic/core/endpoint.hpp"
#include "strata/quic/core/openssl_tls.hpp"
#include "strata/quic/endpoint.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/handler_memory.hpp"
#include "strata/transport/udp_socket.hpp"

namespace strata::quic {
inline namespace v0 {
namespace detail {

inline transport::time_point clock_now() noexcept { return std::chrono::steady_clock::now(); }

/// The socket, the timer and the core of one endpoint, on one serial executor, and the turn that
/// core.md describes: receive what is there, hand out events, release the input, let the handlers
/// run, and flush once. Nothing but flush() sends.
class endpoint_driver final : public transport::driver {
 public:
  endpoint_driver(const transport::ready_list& ready, endpoint_options options);
  ~endpoint_driver() override;

  transport::result<void> open();
  const asio::any_io_executor& executor() const noexcept { return ready_.executor(); }
  transport::address local_address() const;
  core::endpoint_statistics statistics() const noexcept { return core_.statistics(); }

  // Of the endpoint's handle.
  void connect(const transport::address& remote, const std::string& server_name,
               const core::connection_config& config, completion<connection_signature> waiting);
  void accept(completion<connection_signature> waiting);
  void use(transport::tls_context server_tls);
  const std::optional<transport::tls_context>& client_tls() const noexcept {
    return options_.client_tls;
  }
  void stop_accepting();
  void close_all(std::uint64_t code, completion<status_signature> waiting);
  void release_endpoint() noexcept;

  // Of connection handles.
  void hold(core::connection_handle id) noexcept;
  void release(core::connection_handle id) noexcept;
  /// The connection's handle is destroyed: what waits on it is aborted; its streams may live on.
  void abandon_connection(core::connection_handle id) noexcept;
  void open_stream(core::connection_handle id, bool bidirectional,
                   completion<stream_signature> waiting);
  void accept_stream(core::connection_handle id, bool bidirectional,
                     completion<stream_signature> waiting);
  void wait_closed(core::connection_handle id, completion<close_signature> waiting);
  void wait_confirmed(core::connection_handle id, completion<status_signature> waiting);
  void shut_down(core::connection_handle id, transport::duration deadline, std::uint64_t code,
                 completion<status_signature> waiting);
  void close(core::connection_handle id, std::uint64_t code, std::string_view reason);
  void attach(core::connection_handle id, std::unique_ptr<session> attached);
  core::connection_view view(core::connection_handle id) noexcept { return core_.at(id); }
  const connection_entry* entry_of(core::connection_handle id) const noexcept;

  // Of stream handles.
  void read_some(core::connection_handle id, std::uint64_t stream,
                 std::span<const asio::mutable_buffer> buffers, completion<io_signature> waiting);
  void write_some(core::connection_handle id, std::uint64_t stream,
                  std::span<const asio::const_buffer> buffers, completion<io_signature> waiting);
  void write_borrowed(core::connection_handle id, std::uint64_t stream, asio::const_buffer data,
                      completion<status_signature> waiting);
  void finish(core::connection_handle id, std::uint64_t stream,
              completion<status_signature> waiting);
  void wait_stream_closed(core::connection_handle id, std::uint64_t stream,
                          completion<status_signature> waiting);
  void reset(core::connection_handle id, std::uint64_t stream, std::uint64_t code);
  void prioritize(core::connection_handle id, std::uint64_t stream, std::uint8_t urgency,
                  bool incremental);
  transport::peer_codes codes(core::connection_handle id, std::uint64_t stream) const;
  void abandon_stream(core::connection_handle id, std::uint64_t stream) noexcept;
  void abort(core::connection_handle id, std::uint64_t stream, stream_entry::place which);

  /// Something was commanded outside a turn: one flush is posted.
  void schedule_flush();

 private:
  static constexpr unsigned batches_per_flush = 8;

  void shutdown() noexcept override;
  void receive();
  void on_received(std::error_code error, std::size_t count);
  void flush();
  bool send_unsent();
  bool send_batch(const transport::transmit& what, std::size_t from);
  void wait_writable();
  void arm_timer();
  void on_timer();
  void end_turn(transport::time_point now);

  void dispatch(transport::time_point now);
  void dispatch_to_connection(transport::time_point now, connection_entry& entry,
                              const core::event& event);
  void decide_incoming(transport::time_point now, std::uint64_t attempt);
  void on_ready(connection_entry& entry);
  void on_closed(connection_entry& entry);
  void serve_opening(connection_entry& entry, bool bidirectional);
  std::unique_ptr<stream> accept_late(connection_entry& entry, bool bidirectional);
  void serve_accepting(connection_entry& entry, bool bidirectional);
  void serve_shutdown(transport::time_point now, connection_entry& entry);
  void fail_waits(connection_entry& entry, std::error_code cause);
  void end_waits_on_close(connection_entry& entry, std::error_code cause);
  void abort_open(core::connection_handle id, bool bidirectional, std::uint64_t number);
  void abort_shutdown(connection_entry& entry);
  void abort_dials() noexcept;
  void end_receive_turn();

  connection_entry* find(core::connection_handle id) noexcept;
  connection_entry& add(core::connection_handle id, bool is_server);
  stream_entry* find_stream(core::connection_handle id, std::uint64_t stream) noexcept;
  void forget_if_unheld(connection_entry& entry) noexcept;
  void end_if_idle() noexcept;
  connection make_connection(connection_entry& entry);
  std::unique_ptr<stream> make_stream(connection_entry& entry, std::uint64_t id);
  stream_entry::canceller stream_canceller(core::connection_handle id, std::uint64_t stream);
  std::shared_ptr<endpoint_driver> self() {
    return std::static_pointer_cast<endpoint_driver>(shared_from_this());
  }

  transport::ready_list ready_;
  endpoint_options options_;
  transport::system_random random_;
  transport::system_wall_clock wall_clock_;
  std::unique_ptr<core::openssl_tls> tls_;
  core::endpoint core_;
  std::optional<transport::udp_socket> socket_;
  std::optional<asio::steady_timer> timer_;
  std::optional<transport::time_point> timer_armed_at_;

  /// No more than what one read of 256 KiB takes: what is left over is copied to pages.
  static constexpr std::size_t batches_per_turn = 4;
  std::array<transport::datagram_batch, batches_per_turn> received_{};
  transport::handler_memory receive_memory_;
  std::vector<std::byte> out_;
  std::optional<transport::transmit>
      unsent_;  ///< What the socket was too full for, in out_ from unsent_from_ on.
  std::size_t unsent_from_ = 0;
  bool waiting_writable_ = false;
  bool flush_posted_ = false;

  std::unordered_map<std::uint64_t, std::unique_ptr<connection_entry>>
      entries_;  ///< By slot and generation.
  std::deque<core::connection_handle> backlog_;
  transport::pending_operation<connection_signature> accepting_;
  std::vector<connection_entry*> with_sessions_;  ///< Which got events in this turn.
  std::vector<connection_entry*> turned_;         ///< Of these, those that end_turn() is calling.
  std::size_t shutdowns_ = 0;                     ///< Connections whose shutdown waits.
  core::send_token next_token_ = 1;
  std::uint64_t next_open_ = 1;
  bool endpoint_held_ = true;
  bool accepts_ = false;
  bool dead_ = false;
};

/// What a stream handle holds.
struct stream_reference {
  std::shared_ptr<endpoint_driver> driver;
  core::connection_handle connection;
  std::uint64_t id = 0;
  bool is_local = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::quic
