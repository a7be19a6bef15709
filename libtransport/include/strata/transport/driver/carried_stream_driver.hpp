// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "strata/transport/driver/carrier_driver.hpp"
#include "strata/transport/driver/stream_operations.hpp"

namespace strata::transport {
inline namespace v0 {

/// A driver of one stream over another: TLS, WebSocket. `View` is constructed from the core. The
/// derived class has dispatch(now), which drains the core's events into operations().
template <class Core, stream_view View>
class carried_stream_driver : public carrier_driver {
 public:
  using place = typename stream_operations<View>::place;

  void read_some(std::span<const asio::mutable_buffer> buffers, completion<io_signature> waiting) {
    if (this->is_dead()) return;
    operations_.read_some(view(), buffers, std::move(waiting), canceller());
    this->schedule_flush();
  }
  void write_some(std::span<const asio::const_buffer> buffers, completion<io_signature> waiting) {
    if (this->is_dead()) return;
    operations_.write_some(view(), buffers, std::move(waiting), canceller());
    this->schedule_flush();
  }
  result<std::size_t> try_read(std::span<const asio::mutable_buffer> buffers) {
    if (this->is_dead()) return std::unexpected(make_error_code(errc::aborted));
    this->schedule_flush();
    return operations_.try_read(view(), buffers);
  }
  result<std::size_t> try_write(std::span<const asio::const_buffer> buffers) {
    if (this->is_dead()) return std::unexpected(make_error_code(errc::aborted));
    this->schedule_flush();
    return operations_.try_write(view(), buffers);
  }
  result<std::size_t> try_peek(std::span<bytes> pieces) {
    if (this->is_dead()) return std::unexpected(make_error_code(errc::aborted));
    return operations_.try_peek(view(), pieces);
  }
  void consume(std::size_t size)
    requires peeking_stream_view<View>
  {
    if (this->is_dead()) return;
    operations_.consume(view(), size);
    this->schedule_flush();
  }
  void finish(completion<status_signature> waiting) {
    if (this->is_dead()) return;
    operations_.finish(view(), std::move(waiting));
    this->schedule_flush();
  }
  void wait_closed(completion<status_signature> waiting) {
    if (this->is_dead()) return;
    operations_.wait_closed(std::move(waiting), canceller());
  }
  /// Resets the carrier: that is how a peer is told.
  void reset(std::uint64_t code) noexcept {
    if (this->is_dead()) return;
    const bool ended = operations_.has_ended();
    operations_.reset(view(), code);
    if (!ended) this->reset_carrier(code);
    this->schedule_flush();
  }
  /// The handle is being destroyed. What was finished still arrives, within `linger`.
  void abandon(duration linger) noexcept {
    if (this->is_dead()) return;
    operations_.abandon(view());
    if (!operations_.has_finished() && !operations_.has_ended()) {
      view().reset(0);
      this->reset_carrier(stream_cancelled);
    }
    this->let_go(linger);
  }
  void abort(place which) {
    if (!this->is_dead()) operations_.abort(view(), which);
  }

 protected:
  template <class... Args>
  carried_stream_driver(const ready_list& ready, std::unique_ptr<stream> carrier, page_pool pages,
                        Args&&... args)
      : carrier_driver(ready, std::move(carrier), std::move(pages), core_),
        core_(std::forward<Args>(args)...),
        operations_(ready) {}

  Core& core() noexcept { return core_.core; }
  const Core& core() const noexcept { return core_.core; }
  stream_operations<View>& operations() noexcept { return operations_; }
  View view() noexcept { return View(core_.core); }

  /// A reset of the carrier is how the peer resets the stream.
  void on_carrier_lost(std::error_code cause) override {
    if (cause == errc::stream_reset) {
      operations_.on_reset(view());
      operations_.on_write_ended(view(), cause);
    } else {
      operations_.on_gone(view(), cause);
    }
  }

 private:
  struct abort_by_signal {
    std::weak_ptr<driver> weak;
    void operator()(place which) const {
      if (const auto self = std::static_pointer_cast<carried_stream_driver>(weak.lock()))
        self->abort(which);
    }
  };
  abort_by_signal canceller() { return {this->weak_from_this()}; }

  carried<Core> core_;
  stream_operations<View> operations_;
};

/// The functions of a stream handle that only forward to its driver.
template <class Driver>
class forwarding_stream : public stream {
 protected:
  explicit forwarding_stream(std::shared_ptr<Driver> driver) noexcept
      : driver_(std::move(driver)) {}

  std::shared_ptr<Driver> driver_;

 private:
  asio::any_io_executor do_executor() noexcept override { return driver_->executor(); }
  void do_read_some(std::span<const asio::mutable_buffer> buffers,
                    completion<io_signature> waiting) override {
    driver_->read_some(buffers, std::move(waiting));
  }
  void do_write_some(std::span<const asio::const_buffer> buffers,
                     completion<io_signature> waiting) override {
    driver_->write_some(buffers, std::move(waiting));
  }
  result<std::size_t> do_try_read(std::span<const asio::mutable_buffer> buffers) override {
    return driver_->try_read(buffers);
  }
  result<std::size_t> do_try_write(std::span<const asio::const_buffer> buffers) override {
    return driver_->try_write(buffers);
  }
  result<std::size_t> do_try_peek(std::span<bytes> pieces) override {
    return driver_->try_peek(pieces);
  }
  void do_consume(std::size_t size) override {
    if constexpr (requires { driver_->consume(size); }) driver_->consume(size);
  }
  void do_finish(completion<status_signature> waiting) override {
    driver_->finish(std::move(waiting));
  }
  void do_wait_closed(completion<status_signature> waiting) override {
    driver_->wait_closed(std::move(waiting));
  }
};

}  // namespace v0
}  // namespace strata::transport
