// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_completion_handler.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::transport {
inline namespace v0 {

struct upgrade_limits {
  std::size_t handshakes = 256;  ///< Under way at a time; the carrier's backlog holds the others.
  std::size_t accepted = 128;    ///< Done, and waiting for async_accept.
};

/// The driver of a listener whose carriers another listener accepts, and which a handshake turns
/// into `Result` (a stream or a connection): several at a time, yielded in the order in which the
/// handshakes end, those that fail not at all. Every handshake has a deadline of its own, which the
/// upgrade sees to.
template <class Result>
class upgrading_listener final : public driver {
 public:
  using result_pointer = std::unique_ptr<Result>;
  using signature = void(std::error_code, result_pointer);
  /// Begins a handshake on a carrier. The handler is called once, from a handler of the carrier's
  /// executor, or destroyed with the execution context.
  using upgrade =
      std::function<void(std::unique_ptr<stream>,
                         asio::any_completion_handler<void(std::error_code, result_pointer)>)>;

  upgrading_listener(const ready_list& ready, std::unique_ptr<stream_listener> carriers,
                     upgrade with, const upgrade_limits& limits)
      : ready_(ready), carriers_(std::move(carriers)), with_(std::move(with)), limits_(limits) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }

  void accept(completion<signature> waiting) {
    if (dead_) return;
    assert(ready_.is_on_owner());
    if (closed_)
      return ready_.complete(std::move(waiting), make_error_code(errc::closed), result_pointer());
    waiting_.start(std::move(waiting), [weak = this->weak_from_this()] {
      if (const auto self = std::static_pointer_cast<upgrading_listener>(weak.lock()))
        self->abort();
    });
    serve();
    listen();
  }

  /// Handshakes under way are given up; what they made and nobody accepted is destroyed.
  void close() noexcept {
    if (dead_ || closed_) return;
    closed_ = true;
    if (carriers_) carriers_->close();
    abort();
    const auto nobodys = std::move(done_);
    done_.clear();
  }

  address local_address() const noexcept {
    return carriers_ && !closed_ ? carriers_->local_address() : address();
  }

 private:
  void shutdown() noexcept override {
    dead_ = true;
    const auto waiting = waiting_.take();
    const auto nobodys = std::move(done_);
    const auto carriers = std::move(carriers_);
    const auto with = std::move(with_);
  }

  std::shared_ptr<upgrading_listener> self() {
    return std::static_pointer_cast<upgrading_listener>(this->shared_from_this());
  }

  void abort() noexcept {
    if (waiting_)
      ready_.complete(waiting_.take(), make_error_code(errc::aborted), result_pointer());
  }

  /// Goes on without being asked, so that handshakes are done when somebody asks; keeps the driver
  /// alive only as long as the listener is open.
  void listen() {
    if (listening_ || closed_ || under_way_ >= limits_.handshakes ||
        done_.size() >= limits_.accepted)
      return;
    listening_ = true;
    carriers_->async_accept(
        [weak = this->weak_from_this()](std::error_code error, std::unique_ptr<stream> carrier) {
          if (const auto self = std::static_pointer_cast<upgrading_listener>(weak.lock()))
            self->on_carrier(error, std::move(carrier));
        });
  }

  void on_carrier(std::error_code error, std::unique_ptr<stream> carrier) {
    listening_ = false;
    if (dead_ || closed_) return;
    if (error) {
      // Such as: out of descriptors. It is told, and tried again when somebody asks.
      if (waiting_) ready_.complete(waiting_.take(), error, result_pointer());
      return;
    }
    ++under_way_;
    with_(std::move(carrier),
          [weak = this->weak_from_this()](std::error_code failed, result_pointer made) {
            if (const auto self = std::static_pointer_cast<upgrading_listener>(weak.lock()))
              self->on_upgraded(failed, std::move(made));
          });
    listen();
  }

  void on_upgraded(std::error_code error, result_pointer made) {
    --under_way_;
    if (dead_ || closed_) return;
    if (!error) done_.push_back(std::move(made));
    serve();
    listen();
  }

  void serve() {
    if (!waiting_ || done_.empty()) return;
    auto first = std::move(done_.front());
    done_.pop_front();
    ready_.complete(waiting_.take(), std::error_code(), std::move(first));
  }

  ready_list ready_;
  std::unique_ptr<stream_listener> carriers_;
  upgrade with_;
  upgrade_limits limits_;
  pending_operation<signature> waiting_;
  std::deque<result_pointer> done_;
  std::size_t under_way_ = 0;
  bool listening_ = false;
  bool closed_ = false;
  bool dead_ = false;
};

}  // namespace v0
}  // namespace strata::transport
