// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/connection.hpp"

#include "core/connection/connection_state.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

/// What operations on a connection that is over fail with.
std::unexpected<std::error_code> gone(const connection_state& connection) {
  const close_reason* reason = connection.closed();
  return std::unexpected(reason != nullptr ? reason->code_for_operations()
                                           : make_error_code(transport::errc::closed));
}

}  // namespace

result<std::size_t> stream_view::write(std::span<const bytes> pieces, bool fin) {
  if (!connection_->is_open()) return gone(*connection_);
  connection_->touch();
  return connection_->streams().write(id_, pieces, fin);
}

result<void> stream_view::write_borrowed(bytes data, send_token token, bool fin) {
  if (!connection_->is_open()) return gone(*connection_);
  connection_->touch();
  return connection_->streams().write_borrowed(id_, data, token, fin);
}

// Reading goes on after the connection has ended: what had arrived in order stays readable
// (streams.md).
result<std::size_t> stream_view::read(mutable_bytes out, bool& fin) {
  auto done = connection_->streams().read(connection_->last_received(), id_, out, fin);
  if (done) connection_->touch();
  if (!done && done.error() == transport::errc::would_block && !connection_->is_open())
    return gone(*connection_);
  return done;
}

result<bytes> stream_view::peek(bool& fin) const {
  auto view = connection_->streams().peek(id_, fin);
  if (!view && view.error() == transport::errc::would_block && !connection_->is_open())
    return gone(*connection_);
  return view;
}

void stream_view::consume(std::size_t size) {
  connection_->streams().consume(connection_->last_received(), id_, size);
  connection_->touch();
}

void stream_view::reset(std::uint64_t code) {
  if (!connection_->is_open()) return;
  connection_->streams().reset(id_, code);
  connection_->touch();
}

void stream_view::stop(std::uint64_t code) {
  if (!connection_->is_open()) return;
  connection_->streams().stop(id_, code);
  connection_->touch();
}

void stream_view::prioritize(std::uint8_t urgency, bool incremental) {
  connection_->streams().prioritize(id_, urgency, incremental);
}

void stream_view::forget() {
  connection_->streams().forget(id_);
  connection_->touch();
}

result<std::uint64_t> connection_view::open(bool bidirectional) {
  if (!connection_->is_open()) return gone(*connection_);
  return connection_->streams().open(bidirectional);
}

std::optional<std::uint64_t> connection_view::accept(bool bidirectional) {
  return connection_->streams().accept(bidirectional);
}

void connection_view::close(transport::time_point now, std::uint64_t code,
                            std::string_view reason) {
  connection_->close(now, code, reason);
}

bool connection_view::all_sent_acknowledged() const noexcept {
  return connection_->streams().all_sent_acknowledged();
}
const close_reason* connection_view::closed() const noexcept { return connection_->closed(); }
void connection_view::release() { connection_->release(); }
bool connection_view::handshake_complete() const noexcept {
  return connection_->handshake_complete();
}
bool connection_view::handshake_confirmed() const noexcept {
  return connection_->handshake_confirmed();
}
role connection_view::side() const noexcept { return connection_->side(); }
const transport::address& connection_view::remote_address() const noexcept {
  return connection_->current_path().remote();
}
const transport::address& connection_view::local_address() const noexcept {
  return connection_->current_path().local();
}
const tls_summary& connection_view::security() const noexcept { return connection_->security(); }
const transport_parameters& connection_view::peer_parameters() const noexcept {
  return connection_->peer_parameters();
}
connection_statistics connection_view::statistics() const noexcept {
  return connection_->statistics();
}
connection_id connection_view::original_destination() const noexcept {
  return connection_->original_destination();
}
void connection_view::ping() { connection_->ping(); }

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
