// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/core/connection.hpp"

#include "core/connection/connection_state.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

std::optional<section_role> request_view::take_section(field_section& section) {
  return state_->take_section(stream_id_, section);
}
void request_view::consume_body(std::size_t size) { state_->consume_body(stream_id_, size); }
result<void> request_view::send_headers(std::span<const field_line> lines, bool fin) {
  return state_->send_headers(stream_id_, lines, fin);
}
result<std::size_t> request_view::send_body(std::span<const bytes> pieces, bool fin) {
  return state_->send_body(stream_id_, pieces, fin);
}
result<void> request_view::send_trailers(std::span<const field_line> lines) {
  return state_->send_trailers(stream_id_, lines);
}
void request_view::reset(error_code code) { state_->reset(stream_id_, code); }
void request_view::stop_reading(error_code code) { state_->stop_reading(stream_id_, code); }

connection::connection(const connection_config& config, transport::random_source& random)
    : state_(std::make_unique<connection_state>(config, random)) {}
connection::~connection() = default;
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;

received connection::receive(time_point now, std::uint64_t stream_id, bytes input, bool fin) {
  return state_->receive(now, stream_id, input, fin);
}
void connection::stream_reset(time_point now, std::uint64_t stream_id, std::uint64_t code) {
  state_->stream_reset(now, stream_id, code);
}
void connection::stop_sending(time_point now, std::uint64_t stream_id, std::uint64_t code) {
  state_->stop_sending(now, stream_id, code);
}
std::optional<time_point> connection::next_timeout() const { return state_->next_timeout(); }
void connection::handle_timeout(time_point now) { state_->handle_timeout(now); }
bool connection::poll_event(event& out) { return state_->poll_event(out); }
bool connection::poll_command(transport_command& out) { return state_->poll_command(out); }
bool connection::poll_output(output& out) { return state_->poll_output(out); }
void connection::sent(std::uint64_t stream_id, std::size_t size) { state_->sent(stream_id, size); }
void connection::writable(std::uint64_t stream_id) { state_->writable(stream_id); }
void connection::opened(std::uint64_t stream_id) { state_->opened(stream_id); }

result<request_view> connection::open_request(std::uint64_t stream_id) {
  if (auto opened = state_->open_request(stream_id); !opened)
    return std::unexpected(opened.error());
  return request_view(*state_, stream_id);
}
request_view connection::request(std::uint64_t stream_id) noexcept { return {*state_, stream_id}; }
std::size_t connection::request_count() const noexcept { return state_->request_count(); }
void connection::shutdown() { state_->shutdown(); }
void connection::close(error_code code, const char* reason) { state_->close(code, reason); }
const connection_error* connection::closed() const noexcept { return state_->closed(); }
const settings& connection::peer_settings() const noexcept { return state_->peer_settings(); }

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
