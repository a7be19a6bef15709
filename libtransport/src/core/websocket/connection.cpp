// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/connection_state.hpp"

namespace strata::transport {
inline namespace v0 {

websocket_connection::state::state(const websocket_config& config, random_source& random)
    : config_(config), unread_(config.mode), output_(config.role, random) {}

websocket_connection::websocket_connection(const websocket_config& config, random_source& random)
    : state_(std::make_unique<state>(config, random)) {}
websocket_connection::~websocket_connection() = default;
websocket_connection::websocket_connection(websocket_connection&&) noexcept = default;
websocket_connection& websocket_connection::operator=(websocket_connection&&) noexcept = default;

void websocket_connection::receive(time_point now, bytes input) { state_->receive(now, input); }
void websocket_connection::release_input() { state_->release_input(); }
void websocket_connection::receive_end(time_point now) { state_->receive_end(now); }
void websocket_connection::carrier_lost(std::error_code cause) { state_->lose(cause); }
void websocket_connection::handle_timeout(time_point now) { state_->handle_timeout(now); }
std::optional<time_point> websocket_connection::next_timeout() const {
  return state_->next_timeout();
}
bool websocket_connection::poll_event(websocket_event& out) { return state_->poll_event(out); }
std::size_t websocket_connection::poll_output(time_point now, std::span<bytes> pieces) {
  return state_->poll_output(now, pieces);
}
void websocket_connection::sent(std::size_t size) { state_->sent(size); }
bool websocket_connection::wants_input() const noexcept { return state_->wants_input(); }
bool websocket_connection::finished() const noexcept { return state_->finished(); }
const websocket_close* websocket_connection::closed() const noexcept { return state_->closed(); }

result<std::size_t> websocket_connection::read(mutable_bytes out) { return state_->read(out); }
result<bytes> websocket_connection::peek() { return state_->peek(); }
void websocket_connection::consume(std::size_t size) { state_->consume(size); }
result<websocket_part> websocket_connection::read_message(mutable_bytes out) {
  return state_->read_message(out);
}
std::size_t websocket_connection::room() const noexcept { return state_->room(); }
result<std::size_t> websocket_connection::write(std::span<const bytes> pieces) {
  return state_->write(pieces);
}
result<std::size_t> websocket_connection::send(websocket_kind kind, std::span<const bytes> pieces,
                                               bool end) {
  return state_->send(kind, pieces, end);
}
result<void> websocket_connection::ping(bytes payload) { return state_->ping(payload); }
result<void> websocket_connection::finish(time_point now) { return state_->finish(now); }
result<void> websocket_connection::close(time_point now, std::uint16_t code,
                                         std::string_view reason) {
  return state_->close(now, code, reason);
}
void websocket_connection::reset() { state_->reset(); }

}  // namespace v0
}  // namespace strata::transport
