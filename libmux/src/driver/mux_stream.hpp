// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/stream.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

/// The handle of one stream of a session: `Driver` serves it by its number, says its `traits`, and
/// lives as long as a handle does.
template <class Driver>
class mux_stream final : public transport::stream {
 public:
  mux_stream(std::shared_ptr<Driver> driver, std::uint32_t id) noexcept
      : driver_(std::move(driver)), id_(id) {}
  ~mux_stream() override { driver_->abandon_stream(id_); }

  void reset(std::uint64_t code) noexcept override { driver_->reset(id_, code); }
  transport::stream_traits traits() const noexcept override { return Driver::traits; }
  std::optional<transport::connection_security> security() const override {
    return driver_->carrier_security();
  }
  transport::address remote_address() const override { return driver_->remote_address(); }
  transport::address local_address() const override { return driver_->local_address(); }

 private:
  using io_completion = transport::completion<transport::io_signature>;
  using status_completion = transport::completion<transport::status_signature>;
  using byte_count = transport::result<std::size_t>;

  asio::any_io_executor do_executor() noexcept override { return driver_->executor(); }
  void do_read_some(std::span<const asio::mutable_buffer> to, io_completion waiting) override {
    driver_->read_some(id_, to, std::move(waiting));
  }
  void do_write_some(std::span<const asio::const_buffer> from, io_completion waiting) override {
    driver_->write_some(id_, from, std::move(waiting));
  }
  byte_count do_try_read(std::span<const asio::mutable_buffer> to) override {
    return driver_->try_read(id_, to);
  }
  byte_count do_try_write(std::span<const asio::const_buffer> from) override {
    return driver_->try_write(id_, from);
  }
  byte_count do_try_peek(std::span<transport::bytes> pieces) override {
    return driver_->try_peek(id_, pieces);
  }
  void do_consume(std::size_t size) override { driver_->consume(id_, size); }
  void do_finish(status_completion waiting) override { driver_->finish(id_, std::move(waiting)); }
  void do_wait_closed(status_completion waiting) override {
    driver_->wait_stream_closed(id_, std::move(waiting));
  }

  std::shared_ptr<Driver> driver_;
  std::uint32_t id_;
};

/// transport::peeking_stream_view::peek() for a core's view.
template <class View>
transport::result<std::size_t> show(View& view, std::span<transport::bytes> pieces) {
  bool end = false;
  const auto shown = view.peek(pieces, end);
  if (shown && end) return std::unexpected(make_error_code(transport::errc::eof));
  return shown;
}

/// transport::stream_view::ahead() for a core's view that has peek().
template <class View>
std::optional<std::error_code> look_ahead(View& view) {
  bool end = false;
  const auto there = view.peek(end);
  if (there)
    return there->empty() && end ? make_error_code(transport::errc::eof) : std::error_code();
  if (there.error() == transport::errc::would_block) return std::nullopt;
  return there.error();
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
