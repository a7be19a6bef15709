// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/openssl_session.hpp"

#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509.h>

#include <exception>
#include <utility>

#include "core/crypto/tls_alert.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

/// Where the length of legacy_session_id stands in a ClientHello: after type, length, version and
/// random.
constexpr std::size_t session_id_offset = 1 + 3 + 2 + 32;

/// Runs a callback's body: no exception may cross OpenSSL's C frames.
template <class Body>
int guarded(Body&& body) noexcept {
  try {
    return body() ? 1 : 0;
  } catch (const std::exception&) {
    return 0;
  }
}

openssl_session& session_of(void* argument) { return *static_cast<openssl_session*>(argument); }

int on_crypto_send(SSL*, const unsigned char* data, std::size_t size, std::size_t* consumed,
                   void* argument) {
  *consumed = size;
  return guarded(
      [&] { return session_of(argument).send({reinterpret_cast<const std::byte*>(data), size}); });
}

int on_crypto_receive(SSL*, const unsigned char** data, std::size_t* size, void* argument) {
  const bytes input = session_of(argument).lend_input();
  *data = octets(input.data());
  *size = input.size();
  return 1;
}

int on_crypto_release(SSL*, std::size_t, void* argument) {
  session_of(argument).take_back_input();
  return 1;
}

int on_secret(SSL*, std::uint32_t level, int direction, const unsigned char* secret,
              std::size_t size, void* argument) {
  // OSSL_RECORD_PROTECTION_LEVEL_* count as encryption_level does.
  const auto way =
      direction == 0 ? traffic_secret::direction::read : traffic_secret::direction::write;
  return guarded([&] {
    return level < encryption_level_count &&
           session_of(argument).add_secret(static_cast<encryption_level>(level), way,
                                           {reinterpret_cast<const std::byte*>(secret), size});
  });
}

int on_transport_parameters(SSL*, const unsigned char* data, std::size_t size, void* argument) {
  return guarded([&] {
    session_of(argument).keep_peer_parameters({reinterpret_cast<const std::byte*>(data), size});
    return true;
  });
}

int on_alert(SSL*, unsigned char alert, void* argument) {
  session_of(argument).keep_alert(alert);
  return 1;
}

template <class Function>
OSSL_DISPATCH entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

bool set_callbacks(SSL* ssl, openssl_session* session) {
  static const OSSL_DISPATCH callbacks[] = {
      entry(OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_SEND, on_crypto_send),
      entry(OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RECV_RCD, on_crypto_receive),
      entry(OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RELEASE_RCD, on_crypto_release),
      entry(OSSL_FUNC_SSL_QUIC_TLS_YIELD_SECRET, on_secret),
      entry(OSSL_FUNC_SSL_QUIC_TLS_GOT_TRANSPORT_PARAMS, on_transport_parameters),
      entry(OSSL_FUNC_SSL_QUIC_TLS_ALERT, on_alert),
      {0, nullptr}};
  //= RFC 9001 section 8.4
  //# A client MUST NOT request the use of the TLS 1.3 compatibility mode.
  //= RFC 9001 section 6
  //# Endpoints MUST NOT send a TLS KeyUpdate message.
  return SSL_set_quic_tls_cbs(ssl, callbacks, session) == 1;
}

std::string_view selected_protocol(const SSL* ssl) {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  return {reinterpret_cast<const char*>(protocol), size};
}

std::vector<std::byte> der_of(const X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::vector<std::byte> der(static_cast<std::size_t>(size));
  unsigned char* cursor = octets(der.data());
  i2d_X509(certificate, &cursor);
  return der;
}

std::vector<std::vector<std::byte>> peer_chain(const SSL* ssl) {
  std::vector<std::vector<std::byte>> chain;
  const X509* const leaf = SSL_get0_peer_certificate(ssl);
  if (leaf == nullptr) return chain;
  chain.push_back(der_of(leaf));
  const auto* const sent = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    // On a client the leaf is in it, on a server it is not.
    const X509* const next = sk_X509_value(sent, i);
    if (i != 0 || X509_cmp(next, leaf) != 0) chain.push_back(der_of(next));
  }
  return chain;
}

}  // namespace

openssl_session::openssl_session(transport::tls_context context, role side,
                                 bytes transport_parameters)
    : context_(std::move(context)),
      side_(side),
      transport_parameters_(transport_parameters.begin(), transport_parameters.end()),
      filter_(side == role::client) {}

openssl_session::~openssl_session() = default;

bool openssl_session::prepare(std::string_view server_name) {
  ERR_clear_error();
  ssl_.reset(SSL_new(static_cast<SSL_CTX*>(context_.native_context())));
  if (!ssl_) return false;
  // The role comes first: the callbacks' extension is registered for it.
  if (is_client()) {
    SSL_set_connect_state(ssl_.get());
    server_name_ = server_name;
  } else {
    SSL_set_accept_state(ssl_.get());
  }
  const bool ready =
      set_callbacks(ssl_.get(), this) &&
      //= RFC 9001 section 4.2
      //# Clients MUST NOT offer TLS versions older than 1.3.
      //= RFC 9001 section 4.2
      //# An endpoint MUST terminate the connection if a version of TLS older than 1.3 is negotiated.
      SSL_set_min_proto_version(ssl_.get(), TLS1_3_VERSION) == 1 &&
      SSL_set_quic_tls_transport_params(ssl_.get(), octets(transport_parameters_.data()),
                                        transport_parameters_.size()) == 1 &&
      (!is_client() || context_.prepare_client(ssl_.get(), server_name));
  ERR_clear_error();
  return ready;
}

void openssl_session::start() {
  if (is_client()) drive();
}

void openssl_session::receive(encryption_level level, bytes input) {
  if (failure_ || input.empty()) return;
  //= RFC 9001 section 4.1.3
  //# If the packet is from a previously installed encryption level, it MUST NOT
  //# contain data that extends past the end of previously received data in that
  //# flow.
  //= RFC 9001 section 4.1.3
  //# Implementations MUST treat any violations of this requirement as a connection error of type
  //# PROTOCOL_VIOLATION.
  if (level < read_level_ || level == encryption_level::early_data) {
    return fail({.alert = tls_alert::unexpected_message,
                 .protocol_violation = true,
                 .reason = "handshake bytes at an encryption level that is over"});
  }
  if (complete_) {
    if (auto forbidden = filter_.check(input)) return fail(std::move(*forbidden));
    if (!ssl_) return;
  }
  if (!check_session_id(input)) return;
  auto& inbox = inbox_[static_cast<std::size_t>(level)];
  if (input.size() > limits::max_crypto_buffer ||
      inbox.size() > limits::max_crypto_buffer - input.size()) {
    return fail({.reason = "more handshake bytes for a later level than are kept"});
  }
  inbox.insert(inbox.end(), input.begin(), input.end());
  if (level == read_level_) drive();
}

/// A server's guard against clients that ask for middlebox compatibility, which QUIC cannot have.
bool openssl_session::check_session_id(bytes input) {
  if (is_client() || client_hello_seen_ > session_id_offset) return true;
  const std::size_t from = client_hello_seen_;
  client_hello_seen_ += input.size();
  if (client_hello_seen_ <= session_id_offset || input[session_id_offset - from] == std::byte{0})
    return true;
  //= RFC 9001 section 8.4
  //# A
  //# server SHOULD treat the receipt of a TLS ClientHello with a non-empty
  //# legacy_session_id field as a connection error of type PROTOCOL_VIOLATION.
  fail({.alert = 47, .protocol_violation = true, .reason = "ClientHello with a legacy_session_id"});
  return false;
}

/// Calls OpenSSL until it has nothing to do with what has arrived.
void openssl_session::drive() {
  for (;;) {
    const std::size_t waiting = inbox_[static_cast<std::size_t>(read_level_)].size();
    const encryption_level level = read_level_;
    if (!step()) return;
    const std::size_t left = inbox_[static_cast<std::size_t>(read_level_)].size();
    if (!ssl_ || left == 0 || (left == waiting && level == read_level_)) return;
  }
}

/// One call of OpenSSL; false when it failed.
bool openssl_session::step() {
  // SSL_get_error looks at the whole thread's queue: what others left there would count as ours.
  ERR_clear_error();
  // Tickets are read by SSL_read alone, even of nothing.
  const int outcome = complete_ ? SSL_read(ssl_.get(), nullptr, 0) : SSL_do_handshake(ssl_.get());
  const int why = outcome > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), outcome);
  // OpenSSL goes on after some alerts of its own, as the one for padding of an inner hello that is
  // not zero.
  if (failure_ || alert_ || (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ)) {
    fail_as_openssl_says();
    return false;
  }
  ERR_clear_error();
  // With early data a server's call succeeds before the client's Finished has come; then this is
  // still false.
  if (!complete_ && outcome == 1 && SSL_is_init_finished(ssl_.get()) == 1) finish();
  return !failure_;
}

void openssl_session::finish() {
  if (!check_negotiation()) return;
  complete_ = true;
  summary_.alpn = selected_protocol(ssl_.get());
  const char* const asked_for = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  summary_.server_name = is_client() ? server_name_ : asked_for == nullptr ? "" : asked_for;
  summary_.cipher = suite();
  const char* const group = SSL_get0_group_name(ssl_.get());
  summary_.group = group == nullptr ? "" : group;
  summary_.peer_certificates = peer_chain(ssl_.get());
  summary_.resumed = SSL_session_reused(ssl_.get()) == 1;
  summary_.ech = context_.ech_outcome(ssl_.get());
  auto* const context = static_cast<SSL_CTX*>(context_.native_context());
  const bool wants_sessions = is_client() && SSL_CTX_sess_get_new_cb(context) != nullptr;
  //= RFC 9001 section 4.4
  //# A server MUST NOT use post-handshake client authentication
  if (wants_sessions) return;
  // Tickets that came along with the end of the handshake get the same look as later ones.
  auto& inbox = inbox_[static_cast<std::size_t>(encryption_level::application)];
  if (auto forbidden = filter_.check(inbox)) fail(std::move(*forbidden));
  inbox = {};
  ssl_.reset();
}

void openssl_session::fail(tls_failure failure) {
  if (failure_) return;
  failure_ = std::move(failure);
  for (auto& each : outbox_) each.clear();
}

void openssl_session::fail_as_openssl_says() {
  tls_failure failure{.alert = alert_.value_or(tls_failure{}.alert)};
  // The oldest error is where it began; what follows only passes it on.
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  // A signature in the chain that does not fit has an older error than the verdict about it.
  const bool disbelieved =
      reason == SSL_R_CERTIFICATE_VERIFY_FAILED || SSL_get_verify_result(ssl_.get()) != X509_V_OK;
  failure.certificate = disbelieved || reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
  //= RFC 9001 section 4.6.1
  //# A client MUST treat receipt of a
  //# NewSessionTicket that contains an early_data extension with any other value as
  //# a connection error of type PROTOCOL_VIOLATION.
  failure.protocol_violation = reason == SSL_R_INVALID_MAX_EARLY_DATA;
  const char* const text = ERR_reason_error_string(code);
  failure.reason = text == nullptr ? "TLS handshake failed" : text;
  if (disbelieved) {
    failure.reason += ": " + transport::tls_context::verification_failure(ssl_.get());
  }
  summary_.ech = context_.ech_outcome(ssl_.get(), alert_);
  ERR_clear_error();
  fail(std::move(failure));
}

/// What OpenSSL leaves to the QUIC stack: both sides must have spoken of transport parameters and
/// agreed on a protocol.
bool openssl_session::check_negotiation() {
  //= RFC 9001 section 8.2
  //# endpoints that receive ClientHello or EncryptedExtensions messages without the
  //# quic_transport_parameters extension MUST close the connection with an error of type 0x016d
  //# (equivalent to a fatal TLS missing_extension alert, see Section 4.8).
  if (!peer_parameters_) {
    fail({.alert = tls_alert::missing_extension,
          .reason = "the peer sent no QUIC transport parameters"});
    return false;
  }
  //= RFC 9001 section 8.1
  //# While [ALPN] only specifies that servers use this alert, QUIC clients MUST use error 0x0178 to
  //# terminate a connection when ALPN negotiation fails.
  //= RFC 9000 section 7
  //# Endpoints MUST explicitly negotiate an application protocol.
  //= RFC 9001 section 8.1
  //# Unless another mechanism is used for agreeing on an application protocol, endpoints MUST use
  //# ALPN for this purpose.
  if (selected_protocol(ssl_.get()).empty()) {
    fail({.alert = tls_alert::no_application_protocol,
          .reason = "no application protocol was agreed on"});
    return false;
  }
  return true;
}

cipher_suite openssl_session::suite() const {
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl_.get());
  switch (const auto id = static_cast<cipher_suite>(
              cipher == nullptr ? 0 : SSL_CIPHER_get_protocol_id(cipher))) {
    case cipher_suite::aes_128_gcm_sha256:
    case cipher_suite::aes_256_gcm_sha384:
    case cipher_suite::chacha20_poly1305_sha256: return id;
    default: return cipher_suite::null;
  }
}

bool openssl_session::send(bytes output) {
  // A client's first Handshake bytes answer the server's EncryptedExtensions: now it is known what
  // was not in them.
  const bool answers = is_client() && write_level_ == encryption_level::handshake;
  if (failure_ || (answers && !check_negotiation())) return false;
  auto& outbox = outbox_[static_cast<std::size_t>(write_level_)];
  outbox.insert(outbox.end(), output.begin(), output.end());
  return true;
}

bytes openssl_session::lend_input() {
  // Swapped away, so that what arrives meanwhile cannot move it.
  lent_.clear();
  std::swap(lent_, inbox_[static_cast<std::size_t>(read_level_)]);
  return lent_;
}

void openssl_session::take_back_input() { lent_.clear(); }

bool openssl_session::add_secret(encryption_level level, traffic_secret::direction way,
                                 bytes secret) {
  traffic_secret added;
  added.level = level;
  added.way = way;
  added.cipher = suite();
  //= RFC 9001 section 5.3
  //# A cipher suite MUST NOT be negotiated unless a header protection scheme is defined for the
  //# cipher suite.
  if (added.cipher == cipher_suite::null || secret.size() > added.octets.size()) return false;
  added.size = static_cast<std::uint8_t>(secret.size());
  transport::copy_bytes(added.octets.data(), secret);
  if (way == traffic_secret::direction::read) {
    //= RFC 9001 section 4.1.3
    //# When TLS provides keys for a higher encryption level,
    //# if there is data from a previous encryption level that TLS has not consumed,
    //# this MUST be treated as a connection error of type PROTOCOL_VIOLATION.
    if (!inbox_[static_cast<std::size_t>(read_level_)].empty()) {
      fail({.alert = tls_alert::unexpected_message,
            .protocol_violation = true,
            .reason = "handshake bytes after the end of their encryption level"});
      return false;
    }
    read_level_ = level;
  } else {
    // A server knows everything about the client's extensions once it writes EncryptedExtensions.
    if (!is_client() && level == encryption_level::handshake && !check_negotiation()) return false;
    write_level_ = level;
  }
  secrets_.push_back(added);
  return true;
}

void openssl_session::keep_peer_parameters(bytes parameters) {
  peer_parameters_.emplace(parameters.begin(), parameters.end());
}

bool openssl_session::poll_secret(traffic_secret& out) {
  if (next_secret_ == secrets_.size()) return false;
  out = secrets_[next_secret_++];
  if (next_secret_ == secrets_.size()) {
    secrets_ = {};
    next_secret_ = 0;
  }
  return true;
}

bool openssl_session::take_output(encryption_level& level, std::vector<std::byte>& out) {
  for (std::size_t i = 0; i < outbox_.size(); ++i) {
    if (outbox_[i].empty()) continue;
    level = static_cast<encryption_level>(i);
    out.insert(out.end(), outbox_[i].begin(), outbox_[i].end());
    outbox_[i] = {};
    return true;
  }
  return false;
}

std::optional<bytes> openssl_session::peer_transport_parameters() const {
  if (!peer_parameters_) return std::nullopt;
  return bytes(*peer_parameters_);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
