// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "driver/message_entry.hpp"
#include "strata/h3/client.hpp"
#include "strata/h3/core/connection.hpp"
#include "strata/h3/exchange.hpp"
#include "strata/quic/connection.hpp"
#include "strata/quic/session.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

class connection_driver;

/// Whom a server's connections tell of what happens. It must not call back at once.
class connection_owner {
 public:
  virtual ~connection_owner() = default;
  virtual void on_request(exchange incoming) = 0;
  virtual void on_closed(connection_driver& connection) = 0;
};

/// Joins the core of one HTTP/3 connection to the streams of its QUIC connection, and serves what
/// waits on them. It runs inside the QUIC driver's turn, through a session; commands of handles go
/// through run(), too, and leave with the flush that they post. No byte is handed over twice:
/// sections are parsed where QUIC received them, content is copied from there to the reader and
/// from the writer into QUIC's buffer.
///
/// connection_driver.cpp has the turn, connection_messages.cpp the two directions of a message,
/// connection_operations.cpp what handles ask for.
class connection_driver final : public transport::driver {
 public:
  connection_driver(const transport::ready_list& ready, quic::connection connection,
                    const core::connection_config& config);

  /// Attaches to QUIC. `owner` is told of requests; a client has none.
  void start(std::weak_ptr<connection_owner> owner);
  static client client_of(std::shared_ptr<connection_driver> driver) noexcept {
    return client(std::move(driver));
  }
  const asio::any_io_executor& executor() const noexcept { return ready_.executor(); }
  const quic::connection& connection() const noexcept { return connection_; }

  // Of handles.
  void hold() noexcept { ++holders_; }
  void release_client() noexcept;
  void release_stream(std::uint64_t id) noexcept;
  void request(request_options options, completion<response_signature> waiting);
  void wait_head(std::uint64_t id, completion<status_signature> waiting);
  void read_some(std::uint64_t id, const transport::buffer_list<asio::mutable_buffer>& buffers,
                 completion<io_signature> waiting);
  void write_all(std::uint64_t id, asio::const_buffer from, bool fin,
                 completion<io_signature> waiting);
  void finish(std::uint64_t id, const field_section& trailers,
              completion<status_signature> waiting);
  void send_headers(std::uint64_t id, unsigned status, const field_section& fields,
                    completion<status_signature> waiting);
  transport::result<void> send_interim(std::uint64_t id, unsigned status,
                                       const field_section& fields);
  transport::result<void> respond(std::uint64_t id, unsigned status, const field_section& fields,
                                  std::string_view body);
  void reset(std::uint64_t id, error_code code) noexcept;
  void stop_reading(std::uint64_t id, error_code code) noexcept;
  /// The handler is done: what it left unanswered is answered with 500, or reset.
  void conclude(std::uint64_t id);
  const message_entry* entry_of(std::uint64_t id) const noexcept;
  const transport::address& remote_address() const noexcept { return remote_; }
  const std::string& default_authority() const noexcept { return authority_; }
  void set_default_authority(std::string authority) { authority_ = std::move(authority); }

  // Of the connection.
  /// GOAWAY, the requests under way, then close; on_closed() or `waiting`, if it has a handler,
  /// tell the end.
  void shut_down(transport::duration deadline, completion<status_signature> waiting);
  void close(error_code code) noexcept;
  bool is_open() const noexcept { return !detached_ && !dead_ && connection_.is_open(); }
  bool going_away() const noexcept { return going_away_; }
  std::optional<quic::close_reason> closed() const { return closed_; }
  /// The deadline of shut_down() passed before everything was done.
  bool cut_off() const noexcept { return drain_ && drain_->late; }

 private:
  friend class attached_session;
  using quic_view = quic::core::connection_view;

  struct queued_request {
    request_options options;
    transport::pending_operation<response_signature> waiting;
    std::uint64_t ticket = 0;
  };
  struct drain {
    completion<status_signature> waiting;
    transport::time_point deadline;
    std::optional<transport::time_point> last_goaway;  ///< When a server names the last request.
    bool closing = false;
    bool late = false;
  };

  void shutdown() noexcept override;

  // The session.
  void on_event(transport::time_point now, quic_view quic, const quic::core::event& event);
  void on_turn(transport::time_point now, quic_view quic) { run(now, quic); }
  void on_detached(const quic::close_reason& why);

  // The turn.
  void run(transport::time_point now, quic_view quic);
  void run();
  bool run_step(transport::time_point now, quic_view quic);
  void accept_streams(quic_view quic, bool bidirectional);
  void open_own_streams(quic_view quic);
  void run_command(quic_view quic, const core::transport_command& command);
  void write_output(quic_view quic, const core::output& output);
  void on_core_event(const core::event& event);
  void on_section(message_entry& entry);
  void forget_ended(quic_view quic);
  void serve_drain(transport::time_point now);
  void arm_timer();
  void on_timer();
  std::error_code cause_of(const quic::close_reason& why) const;

  // Messages.
  void pump(transport::time_point now, quic_view quic, std::uint64_t id);
  void pump_unidirectional(transport::time_point now, quic_view quic, std::uint64_t id);
  void queue_pump(message_entry& entry);
  void serve_head(message_entry& entry, std::error_code error);
  void end_reading(message_entry& entry, std::error_code why);
  void end_writing(message_entry& entry, std::error_code why);
  void serve_write(message_entry& entry);
  void complete_write(message_entry& entry, std::error_code error);
  void abort_pending(message_entry& entry);
  void serve_requests(quic_view quic);
  void begin_request(message_entry& entry, queued_request& queued);
  void fail_requests(std::error_code why);
  transport::result<void> send_section(std::uint64_t id, unsigned status,
                                       const field_section& fields, bool fin);

  message_entry* find(std::uint64_t id) noexcept;
  message_entry& add(std::uint64_t id);
  std::weak_ptr<connection_driver> weak() {
    return std::static_pointer_cast<connection_driver>(weak_from_this().lock());
  }
  std::shared_ptr<connection_driver> self() {
    return std::static_pointer_cast<connection_driver>(shared_from_this());
  }

  transport::ready_list ready_;
  quic::connection connection_;
  transport::address remote_;
  transport::system_random random_;
  core::connection core_;
  std::weak_ptr<connection_owner> owner_;
  std::optional<asio::steady_timer> timer_;
  std::optional<transport::time_point> timer_armed_at_;
  bool is_server_;
  std::string authority_;

  std::unordered_map<std::uint64_t, std::unique_ptr<message_entry>> entries_;
  message_entry* last_found_ = nullptr;
  std::deque<std::uint64_t> to_pump_;
  std::vector<std::uint64_t> ended_;  ///< Streams that may be over; looked at at the end of run().
  std::deque<std::unique_ptr<queued_request>> queued_;
  std::uint64_t next_ticket_ = 0;
  unsigned own_streams_wanted_ = 0;
  std::vector<field_line> lines_;
  std::optional<drain> drain_;
  std::size_t holders_ = 0;
  std::optional<quic::close_reason> closed_;
  std::error_code cause_;  ///< What operations fail with once the connection is over.
  bool dirty_ = false;     ///< QUIC was commanded: a flush is due.
  bool close_commanded_ = false;
  bool going_away_ = false;
  bool detached_ = false;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
