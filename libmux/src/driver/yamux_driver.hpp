// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "driver/mux_stream.hpp"
#include "strata/mux/core/yamux_session.hpp"
#include "strata/mux/yamux.hpp"
#include "strata/transport/connection.hpp"
#include "strata/transport/driver/carrier_driver.hpp"
#include "strata/transport/driver/stream_operations.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

using transport::completion;
using transport::io_signature;
using transport::status_signature;
using transport::stream_signature;

/// A core stream as transport::stream_view.
class yamux_view {
 public:
  explicit yamux_view(core::yamux_stream_view view) noexcept : view_(view) {}
  transport::result<std::size_t> read(std::span<const transport::mutable_bytes> to) {
    return view_.read(to);
  }
  std::optional<std::error_code> ahead() { return look_ahead(view_); }
  transport::result<std::size_t> peek(std::span<transport::bytes> pieces) {
    return show(view_, pieces);
  }
  void consume(std::size_t size) { view_.consume(size); }
  transport::result<std::size_t> write(std::span<const transport::bytes> from) {
    return view_.write(from);
  }
  transport::result<std::size_t> lend(std::span<const transport::bytes> from) {
    return view_.lend(from);
  }
  std::size_t revoke() { return view_.revoke(); }
  transport::result<void> finish() { return view_.finish(); }
  void reset(std::uint32_t code) { view_.reset(code); }
  void forget() { view_.forget(); }

 private:
  core::yamux_stream_view view_;
};

/// One session over its carrier. Handles of the connection and of its streams hold it; when none is
/// left, the session is closed.
class yamux_driver final : public transport::carrier_driver {
 public:
  using operations = transport::stream_operations<yamux_view>;
  using place = operations::place;
  static constexpr transport::stream_traits traits{
      .half_close = true, .reset_visible = true, .reset_code = false, .proves_end = true};

  yamux_driver(const transport::ready_list& ready, std::unique_ptr<transport::stream> carrier,
               transport::page_pool pages, const yamux_options& options);

  using carrier_driver::start;

  // The connection.
  void open_stream(completion<stream_signature> waiting);
  void accept_stream(completion<stream_signature> waiting);
  void wait_closed(completion<transport::closed_signature> waiting);
  void shut_down(transport::duration deadline, std::uint64_t code,
                 completion<status_signature> waiting);
  void close(std::uint64_t code);
  std::optional<transport::close_reason> closed() const;
  /// The connection's handle is being destroyed.
  void abandon();

  // Its streams, by number.
  void read_some(std::uint32_t id, std::span<const asio::mutable_buffer> buffers,
                 completion<io_signature> waiting);
  void write_some(std::uint32_t id, std::span<const asio::const_buffer> buffers,
                  completion<io_signature> waiting);
  transport::result<std::size_t> try_read(std::uint32_t id,
                                          std::span<const asio::mutable_buffer> buffers);
  transport::result<std::size_t> try_write(std::uint32_t id,
                                           std::span<const asio::const_buffer> buffers);
  transport::result<std::size_t> try_peek(std::uint32_t id, std::span<transport::bytes> pieces);
  void consume(std::uint32_t id, std::size_t size);
  void finish(std::uint32_t id, completion<status_signature> waiting);
  void wait_stream_closed(std::uint32_t id, completion<status_signature> waiting);
  void reset(std::uint32_t id, std::uint64_t code) noexcept;
  void abandon_stream(std::uint32_t id) noexcept;

 private:
  struct open_wait {
    std::uint64_t number = 0;  ///< What its cancellation finds it by.
    transport::pending_operation<stream_signature> waiting;
  };
  struct shutdown_wait {
    transport::pending_operation<status_signature> waiting;
    go_away_code code;  // with an initializer Clang could not emplace it, within this class
    bool is_closed;     // and only what is said last has yet to leave
    std::unique_ptr<asio::steady_timer> timer;
  };
  struct abort_by_signal {
    std::weak_ptr<transport::driver> weak;
    std::uint32_t id = 0;
    void operator()(place which) const;
  };

  void on_turn(transport::time_point now) override;
  void on_carrier_lost(std::error_code) override;
  void on_output_ended() override;
  void on_shutdown() noexcept override;
  void dispatch(const core::event& event);
  void dispatch_to_stream(const core::event& event);
  void on_closed();
  void serve_opening();
  void serve_accepting();
  void serve_shutdown();
  void abort_open(std::uint64_t number);
  void end_shutdown(std::error_code error);
  void end_if_unheld();
  std::error_code cause() const;
  std::unique_ptr<transport::stream> make_stream(std::uint32_t id);
  operations* find(std::uint32_t id);
  yamux_view view(std::uint32_t id) { return yamux_view(session_.core.stream(id)); }
  abort_by_signal canceller(std::uint32_t id) { return {weak_from_this(), id}; }
  std::shared_ptr<yamux_driver> self() {
    return std::static_pointer_cast<yamux_driver>(shared_from_this());
  }

  transport::system_random random_;
  transport::carried<core::yamux_session> session_;
  transport::duration linger_;
  std::unordered_map<std::uint32_t, operations> streams_;  ///< Those that have a handle.
  std::deque<open_wait> opening_;
  std::uint64_t next_open_ = 0;
  transport::pending_operation<stream_signature> accepting_;
  transport::pending_operation<transport::closed_signature> waiting_closed_;
  std::optional<shutdown_wait> shutting_down_;
  bool connection_held_ = true;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
