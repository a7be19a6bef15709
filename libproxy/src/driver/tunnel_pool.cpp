// SPDX-License-Identifier: Apache-2.0
#include "driver/tunnel_pool.hpp"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <utility>

#include "driver/prefixed_stream.hpp"
#include "driver/run_opening.hpp"
#include "driver/stream_deadline.hpp"
#include "driver/tunnel_stream.hpp"
#include "strata/transport/core/websocket_opening.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

using transport::stream;

transport::websocket_request request_of(const tunnel_outbound_options& options) {
  transport::websocket_request made;
  made.authority = options.authority.empty() ? options.server.string() : options.authority;
  made.path = options.path;
  if (!options.uuid.empty()) made.subprotocols = {options.uuid};
  return made;
}

/// What the server was dialled for is nobody's target: a group must see that it is the way that
/// failed.
std::error_code of_the_way(const std::error_code& error) {
  const bool looks_like_target = error == transport::errc::refused ||
                                 error == transport::errc::name_not_found ||
                                 error == transport::errc::invalid_argument;
  return looks_like_target ? make_error_code(errc::upstream_failed) : error;
}

}  // namespace

tunnel_pool::tunnel_pool(const transport::ready_list& ready,
                         std::shared_ptr<transport::stream_dialer> carriers,
                         tunnel_outbound_options options)
    : ready_(ready),
      carriers_(std::move(carriers)),
      options_(std::move(options)),
      pages_(64 * 1024, 4),
      news_(std::in_place, ready.executor(), clock::time_point::max()),
      retry_(std::in_place, ready.executor()) {
  options_.session.session.keep_alive_interval = options_.health_interval;
  transport::websocket_options how;
  how.request = request_of(options_);
  how.handshake_timeout = options_.connect_timeout;
  websockets_ = std::make_shared<transport::websocket_dialer>(carriers_, std::move(how));
  options_.max_sessions = std::max<std::size_t>(options_.max_sessions, 1);
  options_.max_streams = std::max<std::size_t>(options_.max_streams, 1);
}

void tunnel_pool::shutdown() noexcept {
  over_ = true;
  news_.reset();
  retry_.reset();
  const auto sessions = std::move(sessions_);
  const auto websockets = std::move(websockets_);
  const auto carriers = std::move(carriers_);
}

void tunnel_pool::close() noexcept {
  if (std::exchange(over_, true)) return;
  retry_->cancel();
  wake();
  const auto sessions = std::exchange(sessions_, {});
}

tunnel_outbound_statistics tunnel_pool::statistics() const {
  tunnel_outbound_statistics made = figures_;
  made.sessions = sessions_.size();
  for (const auto& each : sessions_) made.streams += each->streams;
  made.is_resting = is_resting();
  return made;
}

void tunnel_pool::wake() noexcept {
  if (news_) news_->cancel();
}

/// What came of dialling the server.
void tunnel_pool::note(const std::error_code& error) {
  ++figures_.dialled;
  if (!error) {
    failures_in_row_ = 0;
    rest_ = {};
    rests_until_ = {};
    return;
  }
  ++figures_.failures;
  last_error_ = error;
  if (++failures_in_row_ < options_.failures_to_rest) return;
  rest_ = rest_.count() == 0 ? options_.rest : std::min(rest_ * 2, options_.max_rest);
  rests_until_ = clock::now() + rest_;
}

std::shared_ptr<tunnel_session> tunnel_pool::least_loaded() {
  std::erase_if(sessions_, [](const auto& each) { return each->link->closed().has_value(); });
  const auto best =
      std::ranges::min_element(sessions_, {}, [](const auto& each) { return each->streams; });
  if (best == sessions_.end() || (*best)->streams >= options_.max_streams) return nullptr;
  return *best;
}

void tunnel_pool::grow() {
  if (over_) return;
  ++dialling_;
  asio::co_spawn(ready_.executor(), dial_session(self()), asio::detached);
}

asio::awaitable<void> tunnel_pool::dial_session(std::shared_ptr<tunnel_pool> in) {
  made<stream> carrier = co_await in->open_websocket();
  --in->dialling_;
  ++in->settled_;
  if (in->over_) co_return;
  in->note(carrier.error);
  if (carrier.value) {
    in->adopt(mux::make_yamux_connection(std::move(carrier.value), mux::role::client,
                                         in->options_.session));
  }
  in->wake();
  carrier.error ? in->retry_later() : in->top_up();
}

void tunnel_pool::adopt(std::unique_ptr<transport::connection> link) {
  const auto made = std::make_shared<tunnel_session>();
  made->link = std::move(link);
  sessions_.push_back(made);
  made->link->async_wait_closed(
      [weak = weak_from_this(), which = std::weak_ptr(made)](
          std::error_code, const std::unique_ptr<transport::close_reason>&) {
        const auto in = std::static_pointer_cast<tunnel_pool>(weak.lock());
        if (const auto lost = which.lock(); in && lost) in->lose(lost);
      });
}

void tunnel_pool::lose(const std::shared_ptr<tunnel_session>& which) noexcept {
  if (over_ || std::erase(sessions_, which) == 0) return;
  wake();
  top_up();
}

void tunnel_pool::top_up() {
  const std::size_t wanted = std::min(options_.pre_connect, options_.max_sessions);
  if (over_ || options_.mode != core::tunnel_mode::yamux) return;
  if (sessions_.size() + dialling_ >= wanted) return;
  if (is_resting()) return retry_later();
  while (sessions_.size() + dialling_ < wanted) grow();
}

void tunnel_pool::retry_later() {
  if (over_ || options_.pre_connect == 0) return;
  retry_->expires_at(std::max(rests_until_, clock::now() + options_.rest));
  retry_->async_wait([weak = weak_from_this()](std::error_code error) {
    const auto in = std::static_pointer_cast<tunnel_pool>(weak.lock());
    if (!error && in) in->top_up();
  });
}

asio::awaitable<tunnel_pool::picked> tunnel_pool::pick() {
  const auto held = self();
  picked made;
  const std::uint64_t settled_before = settled_;
  for (;;) {
    if (over_) co_return picked{.error = make_error_code(transport::errc::aborted)};
    made.session = least_loaded();
    const bool has_idle = made.session && made.session->streams == 0;
    const bool may_grow = sessions_.size() + dialling_ < options_.max_sessions && !is_resting();
    // A dial that has just failed is not made again by the one that waited for it.
    const bool has_tried = settled_ != settled_before;
    if (!has_idle && may_grow && dialling_ == 0 && !(has_tried && !made.session)) grow();
    if (made.session) break;
    if (dialling_ == 0) {
      if (has_tried && last_error_)
        made.error = last_error_;
      else if (is_resting())
        made.error = make_error_code(errc::upstream_resting);
      else
        made.error = make_error_code(transport::errc::limit_exceeded);
      if (made.error == errc::upstream_resting) ++figures_.rested;
      co_return made;
    }
    co_await news_->async_wait(quietly);
  }
  ++made.session->streams;
  made.load = std::shared_ptr<void>(nullptr, [of = made.session](void*) { --of->streams; });
  co_return made;
}

asio::awaitable<made<stream>> tunnel_pool::open_websocket() {
  const auto held = self();
  made<stream> result;
  auto dialling = websockets_->async_dial(options_.server);
  auto [failed, carrier] =
      co_await transport::with_timeout(std::move(dialling), options_.connect_timeout, quietly);
  result.error = of_the_way(failed);
  result.value = std::move(carrier);
  co_return result;
}

asio::awaitable<made<stream>> tunnel_pool::open_messages() {
  const auto held = self();
  made<stream> result;
  auto dialling = carriers_->async_dial(options_.server);
  auto [failed, carrier] =
      co_await transport::with_timeout(std::move(dialling), options_.connect_timeout, quietly);
  result.error = of_the_way(failed);
  if (failed) co_return result;
  transport::system_random random;
  const transport::websocket_request request = request_of(options_);
  opened on{std::move(carrier)};
  transport::websocket_client_opening opening(request, random);
  const stream_deadline limit(*on.carrier, options_.connect_timeout);
  const transport::next_action last = co_await run_opening(on, opening);
  if (limit.has_passed()) {
    result.error = make_error_code(transport::errc::timed_out);
  } else if (last.kind != transport::next_action::kind_type::done) {
    result.error = of_the_way(last.error);
  } else {
    result.value = with_prefix(std::move(on.carrier), std::move(on.unread));
  }
  co_return result;
}

asio::awaitable<made<stream>> tunnel_pool::dial_simple(transport::target where) {
  const auto held = self();
  made<stream> result;
  if (is_resting()) {
    ++figures_.rested;
    result.error = make_error_code(errc::upstream_resting);
    co_return result;
  }
  result = co_await open_messages();
  note(result.error);
  if (result.error) co_return result;
  tunnel_setting setting{.pages = pages_};
  setting.link.where = where;
  setting.link.opening_timeout = options_.connect_timeout;
  setting.link.websocket.keepalive = options_.health_interval;
  auto [error, made] = co_await async_start_tunnel(std::move(result.value), setting, quietly);
  result.error = error;
  result.value = std::move(made);
  co_return result;
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
