// SPDX-License-Identifier: Apache-2.0
#include "tls/tls_connection.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <new>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"
#include "tls/connection_report.hpp"
#include "tls/context_settings.hpp"
#include "tls/ech.hpp"
#include "tls/tls_context_implementation.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// The record that output of OpenSSL's begins with.
bytes first_record(bytes wire) {
  buffer_reader reader(wire);
  reader.skip(record_header_size - 2);
  return wire.first(record_header_size + reader.u16());
}

/// A record as it is, or the ClientHello in it in pieces of `size` bytes.
void append_split(page_queue& out, bytes record, std::size_t size) {
  const bytes content = record.subspan(record_header_size);
  const bool is_hello = record.front() == std::byte{SSL3_RT_HANDSHAKE} &&
                        content.front() == std::byte{SSL3_MT_CLIENT_HELLO};
  if (!is_hello) return out.append(record);
  for (bytes rest = content; !rest.empty();) {
    const bytes part = rest.first(std::min(rest.size(), size));
    const std::byte header[] = {record[0], record[1], record[2],
                                static_cast<std::byte>(part.size() >> 8),
                                static_cast<std::byte>(part.size())};
    out.append(header);
    out.append(part);
    rest = rest.subspan(part.size());
  }
}

}  // namespace

tls_connection::tls_connection(const tls_context& context, tls_connection_options options,
                               page_store& pages)
    : context_(context), options_(std::move(options)), pages_(pages), io_(pages) {}

tls_connection::~tls_connection() = default;

result<void> tls_connection::begin(time_point now) {
  assert(!ssl_);
  now_ = control_window_ = now;
  handshake_deadline_ = now + options_.handshake_timeout;
  forget_errors();
  auto prepared = prepare();
  forget_errors();
  if (!prepared) return prepared;
  touch();
  if (is_client()) shake_hands();
  return {};
}

result<void> tls_connection::prepare() {
  ssl_.reset(SSL_new(static_cast<SSL_CTX*>(context_.native_context())));
  bio_handle bio = io_.make_bio();
  if (!ssl_ || !bio) return std::unexpected(make_error_code(errc::out_of_memory));
  SSL* const ssl = ssl_.get();
  SSL_set_bio(ssl, bio.get(), bio.get());  // Both ends are one reference.
  bio.release();
  // Buffers are kept while there is traffic and freed when there is none (release_memory).
  // Without automatic retries a call reads one record, so that those without data can be counted.
  SSL_clear_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_set_app_data(ssl, this);
  SSL_set_info_callback(ssl, on_state);
  if (!is_client()) {
    SSL_set_accept_state(ssl);
    return {};
  }
  SSL_set_connect_state(ssl);
  if (context_.prepare_client(ssl, options_.server_name)) return {};
  return std::unexpected(make_error_code(errc::invalid_argument));
}

void tls_connection::on_state(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_ALERT) == 0) return;
  auto& self = *static_cast<tls_connection*>(SSL_get_app_data(ssl));
  const int level = value >> 8;
  if (level != SSL3_AL_FATAL) return;
  const auto alert = static_cast<std::uint8_t>(value & 0xff);
  ((where & SSL_CB_READ) != 0 ? self.alert_received_ : self.alert_sent_) = alert;
}

void tls_connection::receive(time_point now, bytes input) {
  now_ = now;
  touch(input.size());
  if (is_over() || read_end_) return;
  io_.lend(input);
  drive();
}

void tls_connection::release_input() {
  try {
    io_.keep();
  } catch (const std::bad_alloc&) {
    io_.drop_input();
    fail({.code = errc::out_of_memory, .text = "no memory for what was received"});
  }
}

void tls_connection::receive_end(time_point now) {
  now_ = now;
  carrier_ended_ = true;
  if (!is_over() && !read_end_) drive();
}

void tls_connection::carrier_lost(std::error_code why) {
  if (is_over()) return;
  carrier_ended_ = true;
  if (!ready_) return fail({.code = why, .text = "the carrier was lost in the handshake"});
  lost_ = why;
  io_.output().clear();
  if (!write_end_) write_end_ = why;
  signal_writable();
  // What has arrived is still good.
  if (!read_end_) look();
}

/// Lets OpenSSL do what the input allows.
void tls_connection::drive() {
  while (!ready_ && !is_over() && io_.has_whole_record()) shake_hands();
  if (is_over()) return;
  if (ready_) return look();
  if (carrier_ended_)
    fail({.code = errc::truncated, .text = "the carrier ended during the handshake"});
}

void tls_connection::shake_hands() {
  const std::uint64_t before = io_.records_read();
  forget_errors();
  const int outcome = SSL_do_handshake(ssl_.get());
  if (outcome == 1) {
    if (lacks_protocol(ssl_.get())) {
      return fail({.code = errc::tls_failed,
                   .text = "no application protocol in common with a client that offers ECH"});
    }
    ready_ = true;
    records_at_key_ = io_.records_written();
    signal(event::ready);
    return;
  }
  const int why = SSL_get_error(ssl_.get(), outcome);
  if (is_client()) split_hello();
  if (why == SSL_ERROR_ZERO_RETURN) {
    return fail({.code = errc::closed_by_peer, .text = "the peer closed during the handshake"});
  }
  const bool went_on = io_.records_read() != before || before == 0;
  // OpenSSL goes on after some alerts of its own, as the one for padding of an inner hello that is
  // not zero.
  if (why != SSL_ERROR_WANT_READ || !went_on || alert_sent_) fail_as_openssl_says();
}

/// Cuts a ClientHello that is about to be sent into records as small as the profile wants them; the
/// protocol allows any size (RFC 8446 section 5.1).
void tls_connection::split_hello() {
  const std::size_t size = implementation_of(ssl_.get()).hello_record_size;
  if (size == 0) return;
  page_queue& output = io_.output();
  try {
    std::vector<std::byte> rest(output.size());
    for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = output.at(i);
    output.clear();
    for (bytes wire = rest; !wire.empty();) {
      const bytes record = first_record(wire);
      wire = wire.subspan(record.size());
      append_split(output, record, size);
    }
  } catch (const std::bad_alloc&) {
    output.clear();
    fail({.code = errc::out_of_memory, .text = "no memory for the ClientHello"});
  }
}

std::vector<std::byte> tls_connection::first_message() const {
  std::array<bytes, 8> pieces;
  std::vector<std::byte> wire;
  for (const bytes each : std::span(pieces).first(io_.output().gather(pieces)))
    wire.insert(wire.end(), each.begin(), each.end());
  const bytes record = first_record(wire);
  return {record.begin() + record_header_size, record.end()};
}

void tls_connection::handle_timeout(time_point now) {
  now_ = now;
  if (!ready_ && !is_over() && ssl_ && now >= handshake_deadline_) {
    fail({.code = errc::timed_out, .text = "the handshake took too long"});
  }
  if (holds_memory_ && now >= quiet_at_) release_memory();
}

std::optional<time_point> tls_connection::next_timeout() const {
  std::optional<time_point> next;
  if (holds_memory_) next = quiet_at_;
  const bool shaking = ssl_ && !ready_ && !is_over();
  if (shaking && (!next || handshake_deadline_ < *next)) next = handshake_deadline_;
  return next;
}

void tls_connection::touch(std::size_t moved) {
  holds_memory_ = true;
  moved_ += moved;
  quiet_at_ = now_ + (moved_ < limits::tls_little_traffic ? limits::tls_memory_kept_after_little
                                                          : limits::tls_memory_kept_when_idle);
}

void tls_connection::release_memory() {
  holds_memory_ = false;
  moved_ = 0;
  if (ssl_) [[maybe_unused]]
    const int freed = SSL_free_buffers(ssl_.get());  // Not those that hold something.
  forget_errors();
  io_.release_memory();
}

bool tls_connection::poll_event(event& out) {
  for (const event each : {event::ready, event::readable, event::writable, event::failed}) {
    const unsigned bit = 1u << static_cast<unsigned>(each);
    if ((events_ & bit) == 0) continue;
    events_ &= ~bit;
    out = each;
    return true;
  }
  return false;
}

std::size_t tls_connection::poll_output(time_point now, std::span<bytes> pieces) {
  now_ = now;
  // What arrived before may still make OpenSSL answer.
  if (lost_) io_.output().clear();
  if (!io_.output().empty()) touch();
  return io_.output().gather(pieces);
}

void tls_connection::sent(std::size_t count) {
  // A write of the carrier's may have ended before the reset, and be told only now.
  if (reset_) return;
  assert(count <= io_.output().size());
  io_.output().consume(count);
  if (io_.output().size() <= options_.write_watermark / 2) signal_writable();
}

bool tls_connection::wants_input() const {
  if (is_over() || carrier_ended_) return false;
  // What a peer makes this side answer, key updates for one, is held up with the answers.
  if (io_.output().size() > 2 * options_.write_watermark) return false;
  // After the end of the peer's direction input is dropped, so that the carrier's end is seen.
  return read_end_ || io_.input_size() < options_.input_limit;
}

bool tls_connection::output_ended() const {
  return io_.output().empty() && (close_sent_ || is_over());
}

bool tls_connection::finished() const {
  if (reset_ || lost_) return true;
  return io_.output().empty() && (failure_ || (close_sent_ && read_end_));
}

void tls_connection::reset() {
  if (reset_) return;
  reset_ = true;
  io_.drop_input();
  io_.output().clear();
  read_end_ = write_end_ = errc::closed;
  events_ = 0;
}

bool tls_connection::is_tls13() const { return SSL_version(ssl_.get()) == TLS1_3_VERSION; }
bool tls_connection::half_close() const { return ready_ && is_tls13(); }

connection_security tls_connection::security() const {
  connection_security out = security_of(ssl_.get());
  if (is_client()) out.server_name = options_.server_name;
  const tls_ech_outcome ech = context_.ech_outcome(ssl_.get());
  out.ech = ech.status;
  out.ech_retried = ech.retried;
  return out;
}

void tls_connection::fail(tls_failure failure) {
  if (is_over()) return;
  failure.alert_sent = alert_sent_;
  failure.alert_received = alert_received_;
  if (failure.ech == ech_status::not_tried) failure.ech = ech_status_of(ssl_.get());
  if (!read_end_) read_end_ = failure.code;
  if (!write_end_) write_end_ = failure.code;
  failure_ = std::move(failure);
  readable_ = true;
  io_.drop_input();
  signal(event::failed);
}

void tls_connection::fail_as_openssl_says() {
  tls_failure failure = failure_of(ssl_.get(), ready_, alert_sent_);
  fail(std::move(failure));
}

void tls_connection::signal_readable() {
  readable_ = true;
  if (!wants_readable_) return;
  wants_readable_ = false;
  signal(event::readable);
}

void tls_connection::signal_writable() {
  if (!wants_writable_) return;
  wants_writable_ = false;
  signal(event::writable);
}

}  // namespace v0
}  // namespace strata::transport
