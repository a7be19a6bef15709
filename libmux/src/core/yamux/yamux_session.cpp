// SPDX-License-Identifier: Apache-2.0
#include "strata/mux/core/yamux_session.hpp"

#include <algorithm>

#include "core/yamux/yamux_state.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

yamux_config sensible(yamux_config config) {
  namespace limit = limits::yamux;
  config.initial_window = std::max(config.initial_window, limit::initial_window);
  config.max_window = std::max(config.max_window, config.initial_window);
  config.max_buffered = std::max<std::uint64_t>(config.max_buffered, limit::initial_window);
  config.frame_payload = std::clamp(config.frame_payload, 1u, limit::max_frame_payload);
  config.write_watermark = std::max(config.write_watermark, limit::min_watermark);
  return config;
}

/// Clients have odd IDs, servers even ones (yamux spec, StreamID Field).
std::uint32_t first_id(const yamux_config& config) {
  const std::uint32_t even = config.first_stream_id & ~1u;
  if (config.role == role::server) return std::max(even, 2u);
  return config.first_stream_id % 2 == 1 ? config.first_stream_id : std::max(even, 2u) - 1;
}

}  // namespace

yamux_state::yamux_state(const yamux_config& config, transport::random_source& random)
    : config_(sensible(config)),
      streams_(stream_table<stream>::draw_multiplier(random)),
      growth_(config_.window_growth),
      keep_alive_(config_.keep_alive_interval, config_.keep_alive_timeout, random),
      next_id_(first_id(config_)) {}

yamux_state::~yamux_state() {
  orphaned_.clear(pages_);
  streams_.for_each([this](stream& of) {
    of.unread.clear(input_memory());
    of.unsent.clear(output_memory());
  });
}

result<std::size_t> yamux_stream_view::write(std::span<const bytes> pieces) {
  return state_->write(id_, pieces);
}
result<std::size_t> yamux_stream_view::lend(std::span<const bytes> pieces) {
  return state_->lend(id_, pieces);
}
std::size_t yamux_stream_view::revoke() { return state_->revoke(id_); }
result<std::size_t> yamux_stream_view::read(std::span<const mutable_bytes> pieces) {
  return state_->read(id_, pieces);
}
result<bytes> yamux_stream_view::peek(bool& end) {
  bytes first;
  const auto shown = state_->peek(id_, {&first, 1}, end);
  if (!shown) return std::unexpected(shown.error());
  return first;
}
result<std::size_t> yamux_stream_view::peek(std::span<bytes> pieces, bool& end) {
  return state_->peek(id_, pieces, end);
}
void yamux_stream_view::consume(std::size_t size) { state_->consume(id_, size); }
result<void> yamux_stream_view::finish() { return state_->finish(id_); }
void yamux_stream_view::reset(std::uint32_t code) { state_->reset(id_, code); }
void yamux_stream_view::stop() { state_->stop(id_); }
void yamux_stream_view::forget() { state_->forget(id_); }

void yamux_control::go_away() { state_->go_away(); }
void yamux_control::close(time_point now, go_away_code code) { state_->close(now, code); }
void yamux_control::ping() { state_->ping(); }
const close_reason* yamux_control::closed() const noexcept { return state_->closed(); }
yamux_statistics yamux_control::statistics() const noexcept { return state_->statistics(); }

yamux_session::yamux_session(const yamux_config& config, transport::random_source& random)
    : state_(std::make_unique<yamux_state>(config, random)) {}
yamux_session::~yamux_session() = default;
yamux_session::yamux_session(yamux_session&&) noexcept = default;
yamux_session& yamux_session::operator=(yamux_session&&) noexcept = default;

void yamux_session::receive(time_point now, bytes input) { state_->receive(now, input); }
void yamux_session::release_input() { state_->release_input(); }
void yamux_session::receive_end(time_point now) { state_->receive_end(now); }
void yamux_session::carrier_lost(std::error_code cause) { state_->carrier_lost(cause); }
void yamux_session::handle_timeout(time_point now) { state_->handle_timeout(now); }
std::optional<time_point> yamux_session::next_timeout() const { return state_->next_timeout(); }
bool yamux_session::poll_event(event& out) { return state_->poll_event(out); }
std::size_t yamux_session::poll_output(time_point now, std::span<bytes> pieces) {
  return state_->poll_output(now, pieces);
}
void yamux_session::sent(std::size_t size) { state_->sent(size); }
bool yamux_session::wants_input() const { return state_->wants_input(); }
bool yamux_session::finished() const { return state_->finished(); }
result<std::uint32_t> yamux_session::open() { return state_->open(); }
std::optional<std::uint32_t> yamux_session::accept() { return state_->accept(); }

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
