// SPDX-License-Identifier: Apache-2.0
#include "driver/tunnel_stream.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::chrono::seconds longest_linger{1};

}  // namespace

tunnel_driver::tunnel_driver(const transport::ready_list& ready,
                             std::unique_ptr<transport::stream> carrier,
                             const tunnel_setting& setting)
    : carried_stream_driver(ready, std::move(carrier), setting.pages, setting.link, random),
      linger_(setting.linger) {}

void tunnel_driver::begin(transport::completion<tunnel_signature> waiting) {
  if (is_dead()) return;
  opening_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto driver = std::static_pointer_cast<tunnel_driver>(weak.lock());
    if (!driver || !driver->opening_) return;
    driver->core().reset();
    driver->reset_carrier(transport::stream_cancelled);
    driver->end_opening(make_error_code(transport::errc::aborted));
  });
  const transport::time_point now = std::chrono::steady_clock::now();
  core().begin(now);
  on_turn(now);
  start();
}

void tunnel_driver::accept() {
  if (is_dead()) return;
  core().accept();
  schedule_flush();
}

void tunnel_driver::refuse(std::string_view why) {
  if (is_dead()) return;
  refused_ = true;
  core().refuse(why);
  schedule_flush();
}

void tunnel_driver::let_go_of() {
  if (is_dead()) return;
  if (refused_) return let_go(linger_);
  abandon(linger_);
}

void tunnel_driver::on_turn(transport::time_point) {
  using event = core::tunnel_link::event;
  event one;
  while (core().poll_event(one)) {
    switch (one) {
      case event::ready:
        if (opening_) {
          auto self = std::static_pointer_cast<tunnel_driver>(shared_from_this());
          ready().complete(opening_.take(), std::error_code(),
                           std::make_unique<tunnel_stream>(std::move(self)));
        }
        break;
      case event::failed:
        if (opening_) end_opening(core().failure());
        break;
      case event::readable: operations().on_readable(view()); break;
      case event::writable: operations().on_writable(view()); break;
      case event::closed: on_closed(); break;
    }
  }
}

void tunnel_driver::on_closed() {
  const std::error_code cause = core().closed()->cause;
  // After an end in order the peer takes nothing more, either.
  const bool in_order = cause == transport::errc::eof || core().ahead() == transport::errc::eof;
  operations().on_gone(view(), in_order ? make_error_code(transport::errc::write_stopped) : cause);
}

void tunnel_driver::on_carrier_lost(std::error_code cause) {
  if (!opening_) carried_stream_driver::on_carrier_lost(cause);
}

/// What was said last still leaves; who broke the opening is not waited for beyond that.
void tunnel_driver::end_opening(std::error_code error) {
  ready().complete(opening_.take(), error, std::unique_ptr<tunnel_stream>());
  let_go(std::min<transport::duration>(linger_, longest_linger));
}

void tunnel_driver::on_shutdown() noexcept {
  operations().drop_handlers();
  const auto opening = opening_.take();
}

void start_tunnel(std::unique_ptr<transport::stream> carrier, const tunnel_setting& setting,
                  transport::completion<tunnel_signature> waiting) {
  const transport::ready_list ready(carrier->get_executor());
  transport::make_driver<tunnel_driver>(ready.executor(), ready, std::move(carrier), setting)
      ->begin(std::move(waiting));
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
