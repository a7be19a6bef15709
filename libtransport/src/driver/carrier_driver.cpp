// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/carrier_driver.hpp"

#include <algorithm>
#include <array>
#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <cassert>
#include <utility>

#include "strata/transport/buffer_list.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Writes of one flush. A carrier that takes more than that in one go would keep others waiting.
constexpr unsigned lists_per_flush = 4;
constexpr std::size_t most_pieces = buffer_list<asio::const_buffer>::capacity;

/// A deadline handled so long after its time tells of this process, not of the peer; then what
/// waits in the carrier has so long to be read.
constexpr duration late = std::chrono::milliseconds(250);
constexpr duration grace = std::chrono::milliseconds(100);

time_point clock_now() noexcept { return std::chrono::steady_clock::now(); }

}  // namespace

carried_core::~carried_core() = default;

carrier_driver::carrier_driver(const ready_list& ready, std::unique_ptr<stream> carrier,
                               page_pool pages, carried_core& served)
    : ready_(ready),
      carrier_(std::move(carrier)),
      pages_(std::move(pages)),
      core_(served),
      timer_(std::in_place, ready.executor()) {}

carrier_driver::~carrier_driver() = default;

std::optional<connection_security> carrier_driver::carrier_security() const {
  return carrier_ ? carrier_->security() : std::nullopt;
}
address carrier_driver::remote_address() const {
  return carrier_ ? carrier_->remote_address() : address();
}
address carrier_driver::local_address() const {
  return carrier_ ? carrier_->local_address() : address();
}

void carrier_driver::start() {
  if (dead_) return;
  schedule_flush();
  read_on();
}

void carrier_driver::read_on() {
  if (reading_ || input_ended_ || carrier_ == nullptr || !core_.wants_input()) return;
  reading_ = true;
  const handler_allocator<void> allocator(read_memory_);
  carrier_->async_wait_readable(asio::bind_cancellation_slot(
      stop_reading_, asio::bind_allocator(allocator, [driver = self()](std::error_code error) {
        driver->on_readable(error);
      })));
}

void carrier_driver::on_readable(std::error_code error) {
  if (dead_ || carrier_ == nullptr) return;
  if (error) {
    reading_ = false;
    return lose_input(error);
  }
  if (!core_.wants_input()) {  // any more: what is there stays in the carrier
    reading_ = false;
    return end_turn(clock_now());
  }
  page_ = pages_.borrow();
  const auto room = page_.span();
  const auto got = carrier_->try_read_some(asio::buffer(room.data(), room.size()));
  if (got) return on_read({}, *got);
  if (got.error() == errc::not_supported) return read_later();
  if (got.error() != errc::would_block) return on_read(got.error(), 0);
  page_ = page();
  reading_ = false;
  read_on();
}

void carrier_driver::read_later() {
  const auto room = page_.span();
  const handler_allocator<void> allocator(read_memory_);
  carrier_->async_read_some(
      asio::buffer(room.data(), room.size()),
      asio::bind_allocator(allocator, [driver = self()](std::error_code failed, std::size_t size) {
        driver->on_read(failed, size);
      }));
}

void carrier_driver::on_read(std::error_code error, std::size_t size) {
  if (dead_) return;
  reading_ = false;
  page input = std::move(page_);
  if (carrier_ == nullptr) return;
  if (error) return lose_input(error);
  const time_point now = clock_now();
  lent_ = std::move(input);
  core_.receive(now, bytes(lent_.span()).first(size));
  end_turn(now);
}

void carrier_driver::lose_input(std::error_code error) {
  input_ended_ = true;
  const time_point now = clock_now();
  if (error == errc::eof) {
    core_.receive_end(now);
  } else {
    lose_carrier(error);
  }
  end_turn(now);
}

void carrier_driver::lose_carrier(std::error_code error) {
  output_ended_ = true;
  // A carrier that is read no more has been reset: nothing else would make its peer stop.
  const std::error_code cause =
      error == errc::write_stopped ? make_error_code(errc::stream_reset) : error;
  core_.carrier_lost(cause);
  on_carrier_lost(cause);
}

void carrier_driver::end_turn(time_point now) {
  on_turn(now);
  schedule_flush();
}

void carrier_driver::schedule_flush() {
  if (dead_ || flush_scheduled_) return;
  flush_scheduled_ = true;
  ready_.run_last(flush_, self());
}

void carrier_driver::flush() {
  flush_scheduled_ = false;
  if (dead_) return;
  if (lent_) {
    core_.release_input();
    lent_ = page();
  }
  if (carrier_ == nullptr) return;
  read_on();
  write_out();
  if (carrier_ == nullptr) return;
  if (let_go_at_ && output_ended_ && !writing_) return drop_carrier();
  arm_timer();
}

/// As much as the carrier takes at once, for a bounded number of lists.
void carrier_driver::write_out() {
  for (unsigned lists = 0; carrier_ != nullptr && !writing_ && !output_ended_; ++lists) {
    if (lists == lists_per_flush) return schedule_flush();
    const time_point now = clock_now();
    std::array<bytes, most_pieces> pieces;
    const std::size_t count = core_.poll_output(now, pieces);
    if (count == 0) {
      if (core_.finished()) end_output();
      return;
    }
    std::array<asio::const_buffer, most_pieces> buffers;
    for (std::size_t i = 0; i < count; ++i)
      buffers[i] = asio::const_buffer(pieces[i].data(), pieces[i].size());
    const std::span<const asio::const_buffer> gathered = std::span(buffers).first(count);
    const auto taken = carrier_->try_write_some(gathered);
    if (!taken && (taken.error() == errc::would_block || taken.error() == errc::not_supported))
      return write_later(gathered);
    if (taken) {
      core_.sent(*taken);
    } else {
      lose_carrier(taken.error());
    }
    on_turn(now);
  }
}

void carrier_driver::write_later(std::span<const asio::const_buffer> pieces) {
  writing_ = true;
  const handler_allocator<void> allocator(write_memory_);
  carrier_->async_write_some(
      pieces,
      asio::bind_allocator(allocator, [driver = self()](std::error_code failed, std::size_t size) {
        driver->on_written(failed, size);
      }));
}

void carrier_driver::on_written(std::error_code error, std::size_t size) {
  if (dead_) return;
  writing_ = false;
  if (carrier_ == nullptr) return;
  const time_point now = clock_now();
  if (error) {
    lose_carrier(error);
  } else {
    core_.sent(size);
  }
  end_turn(now);
}

void carrier_driver::end_output() {
  output_ended_ = true;
  carrier_->async_finish([driver = self()](std::error_code) {
    if (!driver->dead_) driver->on_output_ended();
  });
}

void carrier_driver::arm_timer() {
  auto next = core_.next_timeout();
  if (next && next == excused_) next = judged_at_;
  if (let_go_at_ && (!next || *let_go_at_ < *next)) next = let_go_at_;
  if (!next || (timer_armed_at_ && *timer_armed_at_ <= *next)) return;
  timer_armed_at_ = *next;
  timer_->expires_at(*next);
  const handler_allocator<void> allocator(timer_memory_);
  timer_->async_wait(
      asio::bind_allocator(allocator, [weak = weak_from_this()](std::error_code error) {
        const auto driver = std::static_pointer_cast<carrier_driver>(weak.lock());
        if (driver && !error) driver->on_timer();
      }));
}

void carrier_driver::on_timer() {
  if (dead_ || carrier_ == nullptr) return;
  timer_armed_at_.reset();
  const time_point now = clock_now();
  if (let_go_at_ && *let_go_at_ <= now) {
    carrier_->reset(stream_cancelled);
    return drop_carrier();
  }
  const auto next = core_.next_timeout();
  if (!next || *next > now) return arm_timer();
  if (now - *next > late && next != excused_) {
    excused_ = next;
    judged_at_ = now + grace;
  }
  if (next == excused_ && now < judged_at_) return arm_timer();
  excused_.reset();
  core_.handle_timeout(now);
  end_turn(now);
}

std::unique_ptr<stream> carrier_driver::release_carrier() noexcept {
  assert(!is_using_carrier());
  if (timer_) timer_->cancel();
  return std::move(carrier_);
}

void carrier_driver::reset_carrier(std::uint64_t code) noexcept {
  if (carrier_ == nullptr) return;
  input_ended_ = output_ended_ = true;
  carrier_->reset(code);
}

void carrier_driver::let_go(duration deadline) {
  if (dead_ || let_go_at_) return;
  let_go_at_ = clock_now() + deadline;
  schedule_flush();
}

/// The carrier's own destructor ends it as its contract says; its operations come back aborted and
/// release this driver.
void carrier_driver::drop_carrier() noexcept {
  if (timer_) timer_->cancel();
  const auto last = std::move(carrier_);
}

void carrier_driver::shutdown() noexcept {
  dead_ = true;
  on_shutdown();
  const auto last = std::move(carrier_);
  page_ = page();
  lent_ = page();
  timer_.reset();
}

}  // namespace v0
}  // namespace strata::transport
