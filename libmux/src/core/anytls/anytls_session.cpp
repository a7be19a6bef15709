// SPDX-License-Identifier: Apache-2.0
#include "strata/mux/core/anytls_session.hpp"

#include <algorithm>

#include "core/anytls/anytls_state.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

anytls_config sensible(anytls_config config) {
  namespace limit = limits::anytls;
  config.version = std::clamp(config.version, 1u, 2u);
  config.max_session_unread = std::max(config.max_session_unread, config.max_unread);
  config.frame_payload =
      std::clamp<std::size_t>(config.frame_payload, 1, anytls::frame_header::max_length);
  config.write_watermark = std::max(config.write_watermark, limit::min_watermark);
  config.max_streams = std::max<std::size_t>(config.max_streams, 1);
  return config;
}

}  // namespace

anytls_state::anytls_state(const anytls_config& config, transport::random_source& random)
    : config_(sensible(config)),
      random_(random),
      streams_(stream_table<stream>::draw_multiplier(random)),
      heartbeat_(config_.heartbeat_interval, config_.heartbeat_timeout) {}

anytls_state::~anytls_state() {
  rejected_.clear(pages_);
  control_.clear(pages_);
  streams_.for_each([this](stream& of) {
    of.unread.clear(input_memory());
    of.unsent.clear(pages_);
  });
}

std::string_view anytls_state::user() const noexcept {
  return is_authenticated() ? authentication_.user().value_or(std::string_view())
                            : std::string_view();
}

anytls_statistics anytls_state::statistics() const noexcept {
  anytls_statistics now = statistics_;
  now.streams_open = live_;
  now.unread = unread_;
  return now;
}

result<std::size_t> anytls_stream_view::write(std::span<const bytes> pieces) {
  return state_->write(id_, pieces);
}
result<std::size_t> anytls_stream_view::read(std::span<const mutable_bytes> pieces) {
  return state_->read(id_, pieces);
}
result<bytes> anytls_stream_view::peek(bool& end) {
  bytes first;
  const auto shown = state_->peek(id_, {&first, 1}, end);
  if (!shown) return std::unexpected(shown.error());
  return first;
}
result<std::size_t> anytls_stream_view::peek(std::span<bytes> pieces, bool& end) {
  return state_->peek(id_, pieces, end);
}
void anytls_stream_view::consume(std::size_t size) { state_->consume(id_, size); }
result<void> anytls_stream_view::finish(time_point now) { return state_->finish(id_, now); }
void anytls_stream_view::reset() { state_->reset(id_); }
void anytls_stream_view::forget() { state_->forget(id_); }
void anytls_stream_view::acknowledge() { state_->acknowledge(id_); }
void anytls_stream_view::refuse(std::string_view why) { state_->refuse(id_, why); }
std::error_code anytls_stream_view::failure() const { return state_->failure(id_); }
std::string_view anytls_stream_view::refusal() const { return state_->refusal(id_); }

void anytls_control::drain() { state_->drain(); }
void anytls_control::close(time_point now) { state_->close(now); }
void anytls_control::reject(time_point now, std::string_view text) { state_->reject(now, text); }
const close_reason* anytls_control::closed() const noexcept { return state_->closed(); }
std::string_view anytls_control::alert() const noexcept { return state_->alert(); }
std::string_view anytls_control::user() const noexcept { return state_->user(); }
std::string_view anytls_control::peer_name() const noexcept { return state_->peer_name(); }
unsigned anytls_control::version() const noexcept { return state_->version(); }
const std::optional<anytls_padding_scheme>& anytls_control::pushed_padding() const noexcept {
  return state_->pushed_padding();
}
bytes anytls_control::rejected() const noexcept { return state_->rejected(); }
void anytls_control::consume_rejected(std::size_t size) { state_->consume_rejected(size); }
anytls_statistics anytls_control::statistics() const noexcept { return state_->statistics(); }

anytls_session::anytls_session(const anytls_config& config, transport::random_source& random)
    : state_(std::make_unique<anytls_state>(config, random)) {}
anytls_session::~anytls_session() = default;
anytls_session::anytls_session(anytls_session&&) noexcept = default;
anytls_session& anytls_session::operator=(anytls_session&&) noexcept = default;

void anytls_session::receive(time_point now, bytes input) { state_->receive(now, input); }
void anytls_session::release_input() { state_->release_input(); }
void anytls_session::receive_end(time_point now) { state_->receive_end(now); }
void anytls_session::carrier_lost(std::error_code cause) { state_->carrier_lost(cause); }
void anytls_session::handle_timeout(time_point now) { state_->handle_timeout(now); }
std::optional<time_point> anytls_session::next_timeout() const { return state_->next_timeout(); }
bool anytls_session::poll_event(anytls_event& out) { return state_->poll_event(out); }
std::size_t anytls_session::poll_output(time_point now, std::span<bytes> pieces) {
  return state_->poll_output(now, pieces);
}
void anytls_session::sent(std::size_t size) { state_->sent(size); }
bool anytls_session::wants_input() const { return state_->wants_input(); }
bool anytls_session::finished() const { return state_->finished(); }
result<std::uint32_t> anytls_session::open() { return state_->open(); }
std::optional<std::uint32_t> anytls_session::accept() { return state_->accept(); }

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
