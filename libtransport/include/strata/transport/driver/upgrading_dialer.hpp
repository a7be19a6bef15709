// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <asio/any_completion_handler.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/stream_dialer.hpp"

namespace strata::transport {
inline namespace v0 {

/// The driver of a dialer whose carriers another dialer opens, and which a handshake turns into
/// `Result` (a stream or a connection). Cancelling a dial, or destroying the handle, cancels the
/// step under way.
template <class Result>
class upgrading_dialer final : public driver {
 public:
  using result_pointer = std::unique_ptr<Result>;
  using signature = void(std::error_code, result_pointer);
  using upgrade_handler = asio::any_completion_handler<void(std::error_code, result_pointer)>;
  /// Begins a handshake on the carrier that was dialled for this target. The handler is called once
  /// from a handler, or destroyed with the context; its cancellation slot gives the handshake up.
  using upgrade = std::function<void(const target&, std::unique_ptr<stream>, upgrade_handler)>;

  /// How one dial goes when not as the others do.
  struct course {
    upgrade with;
    /// Asked with what a handshake failed with, whether to dial once more and hand `with` another
    /// carrier.
    std::function<bool(std::error_code)> again;
  };

  upgrading_dialer(const ready_list& ready, std::shared_ptr<stream_dialer> carriers, upgrade with)
      : ready_(ready), carriers_(std::move(carriers)), with_(std::move(with)) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }

  void dial(const target& where, completion<signature> waiting) {
    dial(where, std::move(waiting), {with_, nullptr});
  }

  void dial(const target& where, completion<signature> waiting, course takes) {
    if (dead_) return;
    const auto made = std::make_shared<attempt>();
    made->takes = std::move(takes);
    attempts_.push_back(made);
    made->waiting.start(std::move(waiting),
                        [weak = this->weak_from_this(), one = std::weak_ptr(made)] {
                          const auto self = std::static_pointer_cast<upgrading_dialer>(weak.lock());
                          const auto held = one.lock();
                          if (self && held) self->abort(held);
                        });
    dial_carrier(made, where);
  }

  /// The handle is being destroyed.
  void abort_all() noexcept {
    const auto all = attempts_;
    for (const auto& one : all) abort(one);
  }

 private:
  struct attempt {
    pending_operation<signature> waiting;
    asio::cancellation_signal stop;
    course takes;
  };

  void shutdown() noexcept override {
    dead_ = true;
    const auto all = std::move(attempts_);
    for (const auto& one : all) one->waiting.take();
    const auto carriers = std::move(carriers_);
    const auto with = std::move(with_);
  }

  std::shared_ptr<upgrading_dialer> self() {
    return std::static_pointer_cast<upgrading_dialer>(this->shared_from_this());
  }

  void abort(const std::shared_ptr<attempt>& one) noexcept {
    settle(one, make_error_code(errc::aborted), result_pointer());
    one->stop.emit(asio::cancellation_type::terminal);
  }

  void dial_carrier(const std::shared_ptr<attempt>& one, const target& where) {
    carriers_->async_dial(
        where, asio::bind_cancellation_slot(
                   one->stop.slot(), [self = self(), one, where](std::error_code error,
                                                                 std::unique_ptr<stream> carrier) {
                     self->on_carrier(one, where, error, std::move(carrier));
                   }));
  }

  void on_carrier(const std::shared_ptr<attempt>& one, const target& where, std::error_code error,
                  std::unique_ptr<stream> carrier) {
    if (dead_ || !one->waiting) return;
    if (error) return settle(one, error, result_pointer());
    one->takes.with(where, std::move(carrier),
                    asio::bind_cancellation_slot(
                        one->stop.slot(),
                        [self = self(), one, where](std::error_code failed, result_pointer made) {
                          self->on_upgraded(one, where, failed, std::move(made));
                        }));
  }

  void on_upgraded(const std::shared_ptr<attempt>& one, const target& where, std::error_code error,
                   result_pointer made) {
    if (dead_) return;
    const bool again = error && one->waiting && one->takes.again && one->takes.again(error);
    if (again) return dial_carrier(one, where);
    settle(one, error, std::move(made));
  }

  void settle(const std::shared_ptr<attempt>& one, std::error_code error, result_pointer made) {
    if (dead_) return;
    std::erase(attempts_, one);
    if (one->waiting) ready_.complete(one->waiting.take(), error, std::move(made));
  }

  ready_list ready_;
  std::shared_ptr<stream_dialer> carriers_;
  upgrade with_;
  std::vector<std::shared_ptr<attempt>> attempts_;
  bool dead_ = false;
};

}  // namespace v0
}  // namespace strata::transport
