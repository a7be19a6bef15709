// SPDX-License-Identifier: Apache-2.0
#include "driver/exchange_driver.hpp"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/write.hpp>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

exchange_driver::exchange_driver(const ready_list& ready, exchange_setting setting)
    : ready_(ready), setting_(std::move(setting)) {}

std::shared_ptr<exchange_driver> exchange_driver::self() {
  return std::static_pointer_cast<exchange_driver>(shared_from_this());
}

void exchange_driver::exchange(std::vector<std::byte> query,
                               completion<dns_exchange_signature> waiting) {
  if (dead_) return;
  if (line_.size() >= limits::max_dns_exchanges_in_line) {
    ready_.complete(std::move(waiting), make_error_code(errc::limit_exceeded),
                    std::unique_ptr<dns_reply>());
    return;
  }
  // What makes no request needs no stream.
  if (const auto request = setting_.make_codec()->request(query); !request) {
    ready_.complete(std::move(waiting), request.error(), std::unique_ptr<dns_reply>());
    return;
  }
  const auto made = std::make_shared<job>();
  made->query = std::move(query);
  made->waiting.start(std::move(waiting), [weak = weak_from_this(), one = std::weak_ptr(made)] {
    const auto self = std::static_pointer_cast<exchange_driver>(weak.lock());
    const auto held = one.lock();
    if (self && held) self->abort(held);
  });
  line_.push_back(made);
  serve();
}

void exchange_driver::serve() {
  while (!dead_ && !line_.empty()) {
    const auto idle = find_idle();
    if (!idle && carriers_.size() >= limits::max_dns_streams) return;
    const auto next = line_.front();
    line_.pop_front();
    if (idle) {
      idle->stop.emit(asio::cancellation_type::terminal);
      begin(idle, next);
    } else {
      dial(next);
    }
  }
}

exchange_driver::carrier_pointer exchange_driver::find_idle() const {
  const auto found = std::ranges::find_if(
      carriers_, [](const carrier_pointer& each) { return each->serves == nullptr; });
  return found == carriers_.end() ? nullptr : *found;
}

void exchange_driver::dial(const std::shared_ptr<job>& first) {
  const auto made = std::make_shared<carrier>();
  made->serves = first;
  carriers_.push_back(made);
  setting_.streams->async_dial(
      setting_.server,
      asio::bind_cancellation_slot(
          made->stop.slot(),
          [self = self(), made](std::error_code error, std::unique_ptr<stream> opened) {
            if (self->dead_ || made->is_dropped) return;
            if (error) return self->on_failure(made, error);
            made->bytes_to_server = std::move(opened);
            self->begin(made, made->serves);
          }));
}

void exchange_driver::begin(const carrier_pointer& on, const std::shared_ptr<job>& next) {
  on->serves = next;
  on->has_input = false;
  on->codec = setting_.make_codec();
  auto request = on->codec->request(next->query);
  if (!request) return on_failure(on, request.error());
  on->request = std::move(*request);
  asio::async_write(*on->bytes_to_server, asio::buffer(on->request),
                    [self = self(), on](std::error_code error, std::size_t) {
                      if (self->dead_ || on->is_dropped) return;
                      if (error) return self->on_failure(on, error);
                      self->read(on);
                    });
}

void exchange_driver::read(const carrier_pointer& on) {
  on->bytes_to_server->async_read_some(
      asio::buffer(on->input), [self = self(), on](std::error_code error, std::size_t size) {
        if (!self->dead_ && !on->is_dropped) self->on_input(on, error, size);
      });
}

void exchange_driver::on_input(const carrier_pointer& on, std::error_code error, std::size_t size) {
  if (error == errc::eof) {
    if (const auto ended = on->codec->receive_end(); !ended) return on_failure(on, ended.error());
    return on_reply(on);
  }
  if (error) return on_failure(on, error);
  on->has_input = true;
  const auto taken = on->codec->receive(bytes(on->input).first(size));
  if (!taken) return on_failure(on, taken.error());
  if (!on->codec->is_done()) return read(on);
  // Nobody has asked for what came beyond the reply: it must not answer the next question.
  if (*taken != size) on->is_dropped = true;
  on_reply(on);
}

void exchange_driver::on_reply(const carrier_pointer& on) {
  const auto served = std::exchange(on->serves, nullptr);
  const bool is_kept = !on->is_dropped && on->codec->is_persistent();
  settle(served, {}, std::make_unique<dns_reply>(on->codec->take()));
  on->is_fresh = false;
  if (is_kept)
    wait_idle(on);
  else
    drop(on);
  serve();
}

/// So that a server that closes what is idle is noticed before the next query goes there.
void exchange_driver::wait_idle(const carrier_pointer& on) {
  on->bytes_to_server->async_wait_readable(
      asio::bind_cancellation_slot(on->stop.slot(), [self = self(), on](std::error_code) {
        if (!self->dead_ && !on->is_dropped && on->serves == nullptr) self->drop(on);
      }));
}

void exchange_driver::on_failure(const carrier_pointer& on, std::error_code error) {
  const auto failed = std::exchange(on->serves, nullptr);
  // The server may have closed a stream that it took for idle while the query was on its way.
  const bool may_repeat = !on->is_fresh && !on->has_input && !failed->is_repeated;
  drop(on);
  if (may_repeat) {
    failed->is_repeated = true;
    line_.push_front(failed);
  } else {
    settle(failed, error == errc::eof ? make_error_code(errc::truncated) : error, nullptr);
  }
  serve();
}

void exchange_driver::drop(const carrier_pointer& on) noexcept {
  on->is_dropped = true;
  std::erase(carriers_, on);
  on->stop.emit(asio::cancellation_type::terminal);
  on->bytes_to_server.reset();
}

void exchange_driver::abort(const std::shared_ptr<job>& which) noexcept {
  settle(which, make_error_code(errc::aborted), nullptr);
  std::erase(line_, which);
  const auto found = std::ranges::find(carriers_, which, &carrier::serves);
  if (found == carriers_.end()) return;
  // A copy: dropping it takes it out of the list.
  const carrier_pointer on = *found;
  drop(on);
  serve();
}

void exchange_driver::abort_all() noexcept {
  for (const auto line = std::exchange(line_, {}); const auto& each : line)
    settle(each, make_error_code(errc::aborted), nullptr);
  for (const auto carriers = carriers_; const carrier_pointer& each : carriers) {
    const auto served = std::exchange(each->serves, nullptr);
    drop(each);
    if (served) settle(served, make_error_code(errc::aborted), nullptr);
  }
}

void exchange_driver::settle(const std::shared_ptr<job>& which, std::error_code error,
                             std::unique_ptr<dns_reply> reply) {
  if (which->waiting) ready_.complete(which->waiting.take(), error, std::move(reply));
}

void exchange_driver::shutdown() noexcept {
  dead_ = true;
  const auto line = std::exchange(line_, {});
  const auto carriers = std::exchange(carriers_, {});
  for (const auto& each : line) each->waiting.take();
  for (const carrier_pointer& each : carriers) {
    if (each->serves) each->serves->waiting.take();
    each->bytes_to_server.reset();
  }
  const auto setting = std::exchange(setting_.streams, nullptr);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
