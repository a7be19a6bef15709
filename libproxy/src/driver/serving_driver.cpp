// SPDX-License-Identifier: Apache-2.0
#include "driver/serving_driver.hpp"

#include <chrono>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

constexpr auto rest_time = std::chrono::milliseconds(100);

}  // namespace

serving_driver::serving_driver(const transport::ready_list& ready)
    : ready_(ready),
      rest_(std::in_place, ready.executor()),
      drain_deadline_(std::in_place, ready.executor()) {}

void serving_driver::shutdown() noexcept {
  dead_ = true;
  const auto waiting = draining_.take();
  rest_.reset();
  drain_deadline_.reset();
}

void serving_driver::rest_then(std::function<void()> what) {
  rest_->expires_after(rest_time);
  rest_->async_wait(
      [self = shared_from_this(), what = std::move(what)](std::error_code) { what(); });
}

std::size_t serving_driver::clients_of(const std::string& source) const {
  const auto found = by_source_.find(source);
  return found == by_source_.end() ? 0 : found->second;
}

void serving_driver::remove_client(const std::string& source) noexcept {
  const auto found = by_source_.find(source);
  if (found != by_source_.end() && --found->second == 0) by_source_.erase(found);
}

void serving_driver::close() noexcept {
  if (dead_ || std::exchange(closed_, true)) return;
  stop_accepting();
  rest_->cancel();
}

void serving_driver::drain(transport::duration limit,
                           transport::completion<transport::status_signature> waiting) {
  if (dead_) return;
  close();
  announce_drain(limit);
  if (!is_serving()) return ready_.complete(std::move(waiting), std::error_code());
  draining_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto held = std::static_pointer_cast<serving_driver>(weak.lock());
    if (held) held->finish_drain(make_error_code(transport::errc::aborted));
  });
  drain_deadline_->expires_after(limit);
  drain_deadline_->async_wait(
      [self = std::static_pointer_cast<serving_driver>(shared_from_this())](std::error_code error) {
        if (error || self->dead_ || !self->draining_) return;
        self->finish_drain(make_error_code(transport::errc::timed_out));
        self->end_all();
      });
}

void serving_driver::on_served() noexcept {
  if (draining_ && !is_serving()) finish_drain({});
}

void serving_driver::finish_drain(std::error_code error) noexcept {
  if (!draining_) return;
  drain_deadline_->cancel();
  ready_.complete(draining_.take(), error);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
