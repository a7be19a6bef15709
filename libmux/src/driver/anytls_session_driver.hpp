// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "driver/clock_now.hpp"
#include "driver/mux_stream.hpp"
#include "driver/udp_over_tcp_driver.hpp"
#include "strata/mux/anytls.hpp"
#include "strata/mux/core/anytls_session.hpp"
#include "strata/transport/driver/carrier_driver.hpp"
#include "strata/transport/driver/stream_operations.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

using transport::stream_signature;

/// A core stream as transport::stream_view.
class anytls_view {
 public:
  explicit anytls_view(core::anytls_stream_view view) noexcept : view_(view) {}
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
  transport::result<void> finish() { return view_.finish(clock_now()); }
  void reset(std::uint32_t) { view_.reset(); }
  void forget() { view_.forget(); }
  std::error_code failure() const { return view_.failure(); }

 private:
  core::anytls_stream_view view_;
};

/// What the sessions of one dialer or listener share.
struct anytls_setting {
  anytls_setting(const asio::any_io_executor& executor, role side, anytls_options chosen)
      : ready(executor),
        pages(chosen.read_size, 4),
        sockets{ready, transport::page_pool(udp_over_tcp_driver::page_size, 4)},
        options(std::move(chosen)) {
    options.session.role = side;
  }

  transport::ready_list ready;
  transport::page_pool pages;
  udp_over_tcp_setting sockets;
  anytls_options options;
};

/// One session over its carrier: the streams, for either role. When it is idle, or over, is for the
/// derived classes.
class anytls_session_driver : public transport::carrier_driver {
 public:
  using operations = transport::stream_operations<anytls_view>;
  using place = operations::place;
  static constexpr transport::stream_traits traits{
      .half_close = false, .reset_visible = false, .reset_code = false, .proves_end = false};

  using carrier_driver::start;

  // Streams that have a handle, by number.
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

  /// No more streams; those that are open go on, and the last one ends the session.
  void retire();

 protected:
  anytls_session_driver(const anytls_setting& setting, const core::anytls_config& config,
                        std::unique_ptr<transport::stream> carrier);

  core::anytls_session& core() noexcept { return session_.core; }
  std::error_code cause();
  /// The handle of a stream of the core that has none yet.
  std::unique_ptr<transport::stream> make_stream(std::uint32_t id);
  /// The same in two steps: its events are kept for the handle.
  void own_stream(std::uint32_t id);
  std::unique_ptr<transport::stream> make_handle(std::uint32_t id);
  /// The peer had ended it before it was owned.
  void note_write_stopped(std::uint32_t id);
  void on_turn(transport::time_point now) final;
  void on_shutdown() noexcept override;

 private:
  struct abort_by_signal {
    std::weak_ptr<transport::driver> weak;
    std::uint32_t id = 0;
    void operator()(place which) const;
  };

  /// Events of the session, and of streams that nobody has a handle of.
  virtual void on_event(const core::anytls_event& event) = 0;
  /// All events are dealt with; commands may be given again.
  virtual void end_of_turn(transport::time_point now) = 0;

  void dispatch(const core::anytls_event& event);
  void dispatch_to_stream(operations& of, const core::anytls_event& event);
  void on_closed();
  operations* find(std::uint32_t id);
  anytls_view view(std::uint32_t id) { return anytls_view(session_.core.stream(id)); }
  abort_by_signal canceller(std::uint32_t id) { return {weak_from_this(), id}; }

  transport::system_random random_;
  transport::carried<core::anytls_session> session_;
  transport::duration linger_;
  std::unordered_map<std::uint32_t, operations> streams_;  ///< Those that have a handle.
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
