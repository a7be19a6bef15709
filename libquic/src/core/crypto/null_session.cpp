// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/null_session.hpp"

#include <algorithm>
#include <utility>

#include "core/crypto/null_cipher.hpp"
#include "core/crypto/tls_alert.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::as_bytes;
using transport::as_text;
using transport::buffer_reader;

constexpr std::size_t message_header_size = 4;
constexpr std::size_t digest_size = 32;

void put(std::vector<std::byte>& out, bytes value) {
  out.insert(out.end(), value.begin(), value.end());
}

void put_sized(std::vector<std::byte>& out, std::size_t size_bytes, bytes value) {
  for (std::size_t i = size_bytes; i-- > 0;)
    out.push_back(static_cast<std::byte>(value.size() >> (8 * i)));
  put(out, value);
}

/// Pads what will become a message to `size` bytes, its header included.
void pad(std::vector<std::byte>& body, std::size_t size) {
  if (body.size() + message_header_size < size) body.resize(size - message_header_size);
}

}  // namespace

null_session::null_session(beginning start, const null_tls_options& options)
    : self_(std::move(start)),
      options_(options),
      expected_(self_.side == role::client ? message::server_hello : message::client_hello) {}

void null_session::start() {
  if (self_.side == role::server) return;
  std::vector<std::byte> body;
  put(body, self_.random);
  put_sized(body, 1, as_bytes(self_.server_name));
  body.push_back(static_cast<std::byte>(options_.alpn.size()));
  for (const std::string& protocol : options_.alpn) put_sized(body, 1, as_bytes(protocol));
  put_sized(body, 2, self_.transport_parameters);
  pad(body, options_.client_hello_size);
  summary_.server_name = self_.server_name;
  send(encryption_level::initial, message::client_hello, body);
}

void null_session::receive(encryption_level level, bytes input) {
  if (failure_ || input.empty()) return;
  if (level < read_level_ || level == encryption_level::early_data) {
    fail(tls_alert::unexpected_message, "handshake bytes at an encryption level that is over");
    failure_->protocol_violation = true;
    return;
  }
  if (complete_) return fail(tls_alert::unexpected_message, "handshake bytes after the handshake");
  auto& inbox = inbox_[static_cast<std::size_t>(level)];
  if (input.size() > limits::max_crypto_buffer ||
      inbox.size() > limits::max_crypto_buffer - input.size()) {
    return fail(tls_alert::illegal_parameter, "more handshake bytes than are kept");
  }
  put(inbox, input);
  take_messages();
}

/// Takes the whole messages of the current level, and then of the next.
void null_session::take_messages() {
  while (!failure_ && !complete_) {
    const encryption_level level = read_level_;
    auto& inbox = inbox_[static_cast<std::size_t>(level)];
    buffer_reader reader(inbox);
    const auto type = static_cast<message>(reader.u8());
    const std::size_t size = message_header_size + static_cast<std::size_t>(reader.fixed(3));
    if (!reader.ok()) return;
    if (size > limits::max_crypto_buffer)
      return fail(tls_alert::illegal_parameter, "handshake message too large");
    if (inbox.size() < size) return;
    const std::vector<std::byte> whole(inbox.begin(),
                                       inbox.begin() + static_cast<std::ptrdiff_t>(size));
    inbox.erase(inbox.begin(), inbox.begin() + static_cast<std::ptrdiff_t>(size));
    take(type, whole);
    if (!failure_ && (read_level_ != level || complete_) && !inbox.empty()) {
      fail(tls_alert::unexpected_message,
           "handshake bytes after the end of their encryption level");
      failure_->protocol_violation = true;
    }
  }
}

void null_session::take(message type, bytes whole) {
  // Padding may stand, once or never, between extensions and finished.
  const bool skipped =
      type == message::padding && expected_ == message::finished && self_.side == role::client;
  if (type != expected_ && !skipped)
    return fail(tls_alert::unexpected_message, "handshake message out of order");
  const buffer_reader body(whole.subspan(message_header_size));
  if (type != message::finished) absorb(whole);
  switch (type) {
    case message::client_hello: return take_client_hello(body);
    case message::server_hello: return take_server_hello(body);
    case message::extensions: return take_extensions(body);
    case message::finished: return take_finished(body);
    case message::padding: return;
  }
}

void null_session::take_client_hello(buffer_reader body) {
  body.skip(digest_size);
  const bytes name = body.take(body.u8());
  std::vector<std::string_view> offered(body.u8());
  for (std::string_view& protocol : offered) protocol = as_text(body.take(body.u8()));
  const bytes parameters = body.take(body.u16());
  if (!body.ok()) return fail(tls_alert::decode_error, "malformed hello of the client");
  summary_.server_name = as_text(name);
  peer_parameters_.emplace(parameters.begin(), parameters.end());
  const auto chosen =
      std::find_if(options_.alpn.begin(), options_.alpn.end(), [&](const std::string& own) {
        return std::find(offered.begin(), offered.end(), own) != offered.end();
      });
  if (chosen == options_.alpn.end())
    return fail(tls_alert::no_application_protocol, "no application protocol in common");
  summary_.alpn = *chosen;
  send_server_flight();
}

void null_session::send_server_flight() {
  send(encryption_level::initial, message::server_hello, self_.random);
  add_secret(encryption_level::handshake, role::server);
  add_secret(encryption_level::handshake, role::client);
  read_level_ = encryption_level::handshake;
  expected_ = message::finished;
  std::vector<std::byte> body;
  put_sized(body, 1, as_bytes(summary_.alpn));
  put_sized(body, 2, self_.transport_parameters);
  send(encryption_level::handshake, message::extensions, body);
  const std::size_t needed = message_header_size + body.size() + message_header_size + digest_size;
  if (needed + message_header_size <= options_.server_flight_size) {
    body.assign(options_.server_flight_size - needed - message_header_size, std::byte{});
    send(encryption_level::handshake, message::padding, body);
  }
  send_finished();
  add_secret(encryption_level::application, role::server);
}

void null_session::take_server_hello(buffer_reader body) {
  body.skip(digest_size);
  if (!body.ok() || !body.empty())
    return fail(tls_alert::decode_error, "malformed hello of the server");
  add_secret(encryption_level::handshake, role::client);
  add_secret(encryption_level::handshake, role::server);
  read_level_ = encryption_level::handshake;
  expected_ = message::extensions;
}

void null_session::take_extensions(buffer_reader body) {
  const std::string_view protocol = as_text(body.take(body.u8()));
  const bytes parameters = body.take(body.u16());
  if (!body.ok() || !body.empty())
    return fail(tls_alert::decode_error, "malformed extensions of the server");
  if (std::find(options_.alpn.begin(), options_.alpn.end(), protocol) == options_.alpn.end()) {
    return fail(tls_alert::no_application_protocol,
                "the server chose a protocol that was not offered");
  }
  summary_.alpn = protocol;
  peer_parameters_.emplace(parameters.begin(), parameters.end());
  expected_ = message::finished;
}

void null_session::take_finished(buffer_reader body) {
  const digest wanted = finished_by(opposite(self_.side));
  if (!transport::equal_bytes(body.rest(), wanted))
    return fail(tls_alert::decrypt_error, "the transcripts differ");
  if (self_.side == role::client) {
    send_finished();
    add_secret(encryption_level::application, role::client);
    add_secret(encryption_level::application, role::server);
  } else {
    add_secret(encryption_level::application, role::client);
  }
  read_level_ = encryption_level::application;
  summary_.cipher = cipher_suite::null;
  summary_.group = "null";
  complete_ = true;
}

void null_session::send(encryption_level level, message type, bytes body) {
  std::vector<std::byte> whole{static_cast<std::byte>(type)};
  put_sized(whole, 3, body);
  if (type != message::finished) absorb(whole);
  put(outbox_[static_cast<std::size_t>(level)], whole);
}

void null_session::send_finished() {
  send(encryption_level::handshake, message::finished, finished_by(self_.side));
}

void null_session::absorb(bytes whole) {
  std::vector<std::byte> input(transcript_.begin(), transcript_.end());
  put(input, whole);
  null_cipher::expand(input, "transcript", transcript_);
}

null_session::digest null_session::finished_by(role side) const {
  digest out;
  null_cipher::expand(transcript_, side == role::client ? "client finished" : "server finished",
                      out);
  return out;
}

void null_session::add_secret(encryption_level level, role writer) {
  traffic_secret secret;
  secret.level = level;
  secret.way =
      writer == self_.side ? traffic_secret::direction::write : traffic_secret::direction::read;
  secret.size = digest_size;
  const std::string label = std::string(writer == role::client ? "client" : "server") +
                            (level == encryption_level::handshake ? " handshake" : " application");
  null_cipher::expand(transcript_, label, mutable_bytes(secret.octets).first(digest_size));
  secrets_.push_back(secret);
}

void null_session::fail(std::uint8_t alert, const char* reason) {
  failure_ = tls_failure{.alert = alert, .reason = reason};
  for (auto& each : outbox_) each.clear();
}

bool null_session::poll_secret(traffic_secret& out) {
  if (next_secret_ == secrets_.size()) return false;
  out = secrets_[next_secret_++];
  return true;
}

bool null_session::take_output(encryption_level& level, std::vector<std::byte>& out) {
  for (std::size_t i = 0; i < outbox_.size(); ++i) {
    if (outbox_[i].empty()) continue;
    level = static_cast<encryption_level>(i);
    put(out, outbox_[i]);
    outbox_[i] = {};
    return true;
  }
  return false;
}

std::optional<bytes> null_session::peer_transport_parameters() const {
  if (!peer_parameters_) return std::nullopt;
  return bytes(*peer_parameters_);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
