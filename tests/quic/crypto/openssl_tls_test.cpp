// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/openssl_tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "core/crypto/packet_protection.hpp"
#include "forgetful_server.hpp"
#include "hexadecimal.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/certificates.hpp"
#include "testkit/fake_random.hpp"
#include "testkit/seeded_tls_library.hpp"
#include "tls_pair.hpp"

namespace {

using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::tests;
using strata::testkit::test_certificates;
using strata::transport::as_bytes;
using strata::transport::as_text;
using strata::transport::equal_bytes;
using strata::transport::tls_client_options;
using strata::transport::tls_context;
using strata::transport::tls_credential;
using strata::transport::tls_server_options;
using direction = traffic_secret::direction;
using octets = std::vector<std::byte>;

const test_certificates& certificates() { return test_certificates::shared(); }

tls_client_options client_options() {
  tls_client_options options;
  options.alpn = {"h3"};
  options.system_roots = false;
  options.roots = {certificates().authority.root()};
  return options;
}

tls_server_options server_options() {
  tls_server_options options;
  options.alpn = {"h3"};
  options.credentials = {certificates().server.credential()};
  return options;
}

std::unique_ptr<tls_backend> backend(const tls_client_options& client,
                                     const tls_server_options& server) {
  auto client_context = make_tls_client_context(client);
  auto server_context = make_tls_server_context(server);
  REQUIRE(client_context.has_value());
  REQUIRE(server_context.has_value());
  return make_openssl_tls(*client_context, *server_context);
}

tls_pair pair_of(tls_backend& tls, const std::string& name = "server.test") {
  auto client = tls.connect(name, as_bytes("parameters of the client"));
  auto server = tls.accept(as_bytes("parameters of the server"));
  REQUIRE(client.has_value());
  REQUIRE(server.has_value());
  return {std::move(*client), std::move(*server)};
}

tls_pair pair_of(const tls_client_options& client = client_options(),
                 const tls_server_options& server = server_options(),
                 const std::string& name = "server.test") {
  const auto tls = backend(client, server);
  return pair_of(*tls, name);
}

/// Puts `to` in the place of every `from` in a message, which must be there.
void replace(octets& message, std::string_view from, std::string_view to) {
  const octets needle = from_hexadecimal(from);
  const octets other = from_hexadecimal(to);
  REQUIRE(needle.size() == other.size());
  auto found = std::search(message.begin(), message.end(), needle.begin(), needle.end());
  REQUIRE(found != message.end());
  std::copy(other.begin(), other.end(), found);
}

/// A handshake whose ClientHello is changed on its way.
tls_pair with_client_hello(std::string_view from, std::string_view to) {
  auto pair = pair_of();
  pair.tamper = [=](bool from_client, encryption_level, octets& message) {
    if (from_client) replace(message, from, to);
  };
  pair.run();
  return pair;
}

void check_complete(const tls_pair& pair) {
  if (const tls_failure* const failure = pair.client.session->failure())
    FAIL("client: " << failure->reason);
  if (const tls_failure* const failure = pair.server.session->failure())
    FAIL("server: " << failure->reason);
  REQUIRE(pair.complete());
  for (const auto level : {encryption_level::handshake, encryption_level::application}) {
    for (const auto way : {direction::read, direction::write}) {
      const auto* const ours = find_secret(pair.client, level, way);
      const auto* const theirs = find_secret(
          pair.server, level, way == direction::read ? direction::write : direction::read);
      REQUIRE((ours != nullptr && theirs != nullptr));
      CHECK(equal_bytes(ours->view(), theirs->view()));
      CHECK(ours->cipher == theirs->cipher);
      CHECK(packet_protection::from_secret(ours->cipher, ours->view()).has_value());
    }
  }
}

void check_failure(const tls_pair::side& side, int alert, bool protocol_violation = false) {
  const tls_failure* const failure = side.session->failure();
  REQUIRE(failure != nullptr);
  INFO(failure->reason);
  CHECK(failure->alert == alert);
  CHECK(failure->protocol_violation == protocol_violation);
  CHECK_FALSE(failure->reason.empty());
  CHECK_FALSE(side.session->handshake_complete());
}

}  // namespace

TEST_CASE("openssl_tls: a handshake agrees on everything", "[quic][crypto]") {
  auto pair = pair_of();
  pair.run();
  check_complete(pair);
  CHECK(as_text(*pair.client.session->peer_transport_parameters()) == "parameters of the server");
  CHECK(as_text(*pair.server.session->peer_transport_parameters()) == "parameters of the client");
  const tls_summary& client = pair.client.session->summary();
  const tls_summary& server = pair.server.session->summary();
  CHECK(client.alpn == "h3");
  CHECK(server.alpn == "h3");
  CHECK(client.server_name == "server.test");
  CHECK(server.server_name == "server.test");
  CHECK(client.cipher == cipher_suite::aes_128_gcm_sha256);
  CHECK(server.cipher == client.cipher);
  CHECK(client.group == "X25519MLKEM768");
  CHECK(server.group == client.group);
  REQUIRE(client.peer_certificates.size() == 1);
  CHECK(client.peer_certificates[0] == certificates().server.der);
  CHECK(server.peer_certificates.empty());
  CHECK_FALSE(client.resumed);
}

TEST_CASE("openssl_tls: messages may be cut anywhere", "[quic][crypto][attack][T12]") {
  // 1,100 cuts the default ClientHello in two, as the first flight of Initial packets does.
  auto pair = pair_of();
  pair.chunk = GENERATE(1u, 2u, 3u, 5u, 38u, 39u, 40u, 100u, 1100u);
  pair.run();
  check_complete(pair);
  CHECK(pair.client.sent[0] > 1200);
}

TEST_CASE("openssl_tls: messages may be cut at random", "[quic][crypto]") {
  const auto tls = backend(client_options(), server_options());
  strata::testkit::fake_random random(11);
  for (int round = 0; round < 20; ++round) {
    auto pair = pair_of(*tls);
    pair.chunk = 1 + random.below(700);
    pair.run();
    check_complete(pair);
  }
}

TEST_CASE("openssl_tls: bytes of a later level wait until their turn", "[quic][crypto]") {
  auto pair = pair_of();
  auto& client = *pair.client.session;
  auto& server = *pair.server.session;
  client.start();
  octets out;
  encryption_level level = encryption_level::application;
  REQUIRE(client.take_output(level, out));
  CHECK(level == encryption_level::initial);
  server.receive(level, out);
  octets hello;
  octets flight;
  REQUIRE(server.take_output(level, hello));
  REQUIRE(level == encryption_level::initial);
  REQUIRE(server.take_output(level, flight));
  REQUIRE(level == encryption_level::handshake);
  client.receive(encryption_level::handshake, flight);
  CHECK(client.failure() == nullptr);
  traffic_secret none;
  CHECK_FALSE(client.poll_secret(none));
  client.receive(encryption_level::initial, hello);
  CHECK(client.handshake_complete());
}

TEST_CASE(
    "openssl_tls: secrets come in the order of the handshake, the server's last with the client's "
    "Finished",
    "[quic][crypto]") {
  auto pair = pair_of();
  bool server_complete_early = false;
  std::size_t server_secrets_before_finished = 0;
  pair.tamper = [&](bool from_client, encryption_level level, octets&) {
    if (!from_client || level != encryption_level::handshake) return;
    server_complete_early = pair.server.session->handshake_complete();
    server_secrets_before_finished = pair.server.secrets.size();
  };
  pair.run();
  check_complete(pair);
  CHECK_FALSE(server_complete_early);
  CHECK(server_secrets_before_finished == 3);
  REQUIRE(pair.server.secrets.size() == 4);
  CHECK(pair.server.secrets[2].level == encryption_level::application);
  CHECK(pair.server.secrets[2].way == direction::write);
  CHECK(pair.server.secrets[3].level == encryption_level::application);
  CHECK(pair.server.secrets[3].way == direction::read);
  REQUIRE(pair.client.secrets.size() == 4);
  CHECK(pair.client.secrets[0].level == encryption_level::handshake);
  CHECK(pair.client.secrets[1].level == encryption_level::handshake);
}

TEST_CASE("openssl_tls: every suite works", "[quic][crypto]") {
  const auto [name, suite] =
      GENERATE(std::pair{"TLS_AES_128_GCM_SHA256", cipher_suite::aes_128_gcm_sha256},
               std::pair{"TLS_AES_256_GCM_SHA384", cipher_suite::aes_256_gcm_sha384},
               std::pair{"TLS_CHACHA20_POLY1305_SHA256", cipher_suite::chacha20_poly1305_sha256});
  auto options = client_options();
  options.cipher_suites = {name};
  auto pair = pair_of(options);
  pair.run();
  check_complete(pair);
  CHECK(pair.client.session->summary().cipher == suite);
  CHECK(pair.client.secrets[0].size == (suite == cipher_suite::aes_256_gcm_sha384 ? 48 : 32));
}

TEST_CASE("openssl_tls: a HelloRetryRequest is one more round", "[quic][crypto]") {
  auto client = client_options();
  auto server = server_options();
  client.groups = {"X25519", "P-256"};
  server.groups = {"P-256"};
  auto pair = pair_of(client, server);
  pair.chunk = GENERATE(1u, 70u, 100'000u);
  pair.run();
  check_complete(pair);
  CHECK(pair.client.session->summary().group == "secp256r1");
}

TEST_CASE("openssl_tls: a long certificate chain passes", "[quic][crypto]") {
  auto server = server_options();
  const auto large = certificates().authority.issue({.names = {"server.test"}, .padding = 30'000});
  server.credentials = {large.credential()};
  auto pair = pair_of(client_options(), server);
  pair.chunk = 1000;
  pair.run();
  check_complete(pair);
}

//= RFC 9001 section 8.2
//= type=test
//# endpoints that receive ClientHello or EncryptedExtensions messages without the
//# quic_transport_parameters extension MUST close the connection with an error of type 0x016d
//# (equivalent to a fatal TLS missing_extension alert, see Section 4.8).
TEST_CASE("openssl_tls: missing transport parameters are missing_extension on both sides",
          "[quic][crypto][attack][H3SPEC-T31]") {
  // The extension (0x0039) becomes one that nobody knows.
  const auto pair = with_client_hello(
      "00390018"
      "706172616d6574657273",
      "6a390018"
      "706172616d6574657273");
  check_failure(pair.server, 109);

  const auto tls = backend(client_options(), server_options());
  auto client = tls->connect("server.test", as_bytes("parameters"));
  REQUIRE(client.has_value());
  tls_pair forgetful(
      std::move(*client),
      make_forgetful_server(certificates().server, {.forgets_transport_parameters = true}));
  forgetful.run();
  check_failure(forgetful.client, 109);
}

//= RFC 9001 section 8.1
//= type=test
//# When using ALPN, endpoints MUST immediately close a connection (see Section 10.2 of
//# [QUIC-TRANSPORT]) with a no_application_protocol TLS alert (QUIC error code 0x0178; see Section
//# 4.8) if an application protocol is not negotiated.
//= RFC 9000 section 7
//# Endpoints MUST explicitly negotiate an application protocol.
//= RFC 9001 section 8.1
//# Unless another mechanism is used for agreeing on an application protocol, endpoints MUST use
//# ALPN for this purpose.
//= RFC 9001 section 8.1
//# QUIC clients MUST use error 0x0178 to terminate a connection when ALPN negotiation fails
//= RFC 9001 section 8.1
//# The server MUST treat the inability to select a compatible application protocol as a connection
//# error of type 0x0178 (no_application_protocol).
TEST_CASE("openssl_tls: no common protocol is no_application_protocol on both sides",
          "[quic][crypto][attack][H3SPEC-T30]") {
  auto options = client_options();
  options.alpn = {"other"};
  auto pair = pair_of(options);
  pair.run();
  check_failure(pair.server, 120);

  const auto without = with_client_hello(
      "0010000500030268"
      "33",
      "6a10000500030268"
      "33");
  check_failure(without.server, 120);

  const auto tls = backend(client_options(), server_options());
  auto client = tls->connect("server.test", as_bytes("parameters"));
  REQUIRE(client.has_value());
  tls_pair forgetful(std::move(*client),
                     make_forgetful_server(certificates().server, {.forgets_protocol = true}));
  forgetful.run();
  check_failure(forgetful.client, 120);
}

TEST_CASE("openssl_tls: the forgetful server is sound when it forgets nothing", "[quic][crypto]") {
  const auto tls = backend(client_options(), server_options());
  auto client = tls->connect("server.test", as_bytes("parameters"));
  REQUIRE(client.has_value());
  tls_pair pair(std::move(*client), make_forgetful_server(certificates().server, {}));
  pair.run();
  CHECK(pair.complete());
}

//= RFC 9001 section 4.2
//= type=test
//# Clients MUST NOT offer TLS versions older than 1.3.
//= RFC 9001 section 4.2
//# An endpoint MUST terminate the connection if a version of TLS older than 1.3 is negotiated.
TEST_CASE("openssl_tls: only TLS 1.3 is offered and accepted", "[quic][crypto]") {
  // Whatever else the contexts may be good for.
  auto client = client_options();
  auto server = server_options();
  client.minimum_version = server.minimum_version = strata::transport::tls_version::tls12;
  auto pair = pair_of(client, server);
  bool offers_only_13 = false;
  pair.tamper = [&](bool from_client, encryption_level level, octets& message) {
    if (!from_client || level != encryption_level::initial) return;
    const octets only_13 = from_hexadecimal("002b0003020304");
    offers_only_13 = std::search(message.begin(), message.end(), only_13.begin(), only_13.end()) !=
                     message.end();
    replace(message, "002b0003020304", "002b0003020303");
  };
  pair.run();
  CHECK(offers_only_13);
  check_failure(pair.server, 70);
}

//= RFC 9001 section 5.3
//# A cipher suite MUST NOT be negotiated unless a header protection scheme is defined for the
//# cipher suite.
//= RFC 9001 section 5.3
//# An endpoint MUST NOT reject a ClientHello that offers a cipher suite that it does not support
TEST_CASE("openssl_tls: CCM_8 is never chosen, and does no harm when offered",
          "[quic][crypto][attack][T16]") {
  // The list of three suites, then their number's worth of others.
  const auto only = with_client_hello("0006130113021303", "0006130513051305");
  check_failure(only.server, 40);
  const auto also = with_client_hello("0006130113021303", "0006130513011303");
  // The changed transcript ends it later, at the client.
  CHECK(also.server.session->failure() == nullptr);
  CHECK(find_secret(also.server, encryption_level::handshake, direction::write) != nullptr);
}

//= RFC 9001 section 8.4
//= type=test
//# A
//# server SHOULD treat the receipt of a TLS ClientHello with a non-empty
//# legacy_session_id field as a connection error of type PROTOCOL_VIOLATION.
//= RFC 9001 section 8.4
//# A client MUST NOT request the use of the TLS 1.3 compatibility mode.
TEST_CASE("openssl_tls: a ClientHello asks for no compatibility mode, and must not",
          "[quic][crypto]") {
  auto pair = pair_of();
  pair.chunk = GENERATE(1u, 38u, 39u, 2000u);
  std::byte length{0xff};
  pair.tamper = [&](bool from_client, encryption_level, octets& message) {
    if (!from_client) return;
    length = message[38];
    message[38] = std::byte{1};
  };
  pair.run();
  CHECK(length == std::byte{0});
  check_failure(pair.server, 47, true);
}

//= RFC 9001 section 4.4
//# A client MUST authenticate the identity of the server.
TEST_CASE("openssl_tls: the client says why a certificate is bad", "[quic][crypto]") {
  const strata::testkit::certificate_authority stranger("Somebody else");
  const struct {
    tls_credential shown;
    const char* name;
    int alert;
    const char* reason;
  } cases[] = {
      {certificates().wrong_name.credential(), "server.test", 42, "ostname mismatch"},
      {certificates().server.credential(), "192.0.2.1", 42, "IP address mismatch"},
      {certificates().expired.credential(), "server.test", 45, "expired"},
      {stranger.issue({.names = {"server.test"}}).credential(), "server.test", 48, "issuer"},
  };
  for (const auto& each : cases) {
    auto server = server_options();
    server.credentials = {each.shown};
    auto pair = pair_of(client_options(), server, each.name);
    pair.run();
    check_failure(pair.client, each.alert);
    CHECK(pair.client.session->failure()->certificate);
    CHECK(pair.client.session->failure()->reason.find(each.reason) != std::string::npos);
    CHECK(pair.client.session->failure()->reason.find(each.name) != std::string::npos);
    octets nothing;
    encryption_level level;
    CHECK_FALSE(pair.client.session->take_output(level, nothing));
  }
}

TEST_CASE("openssl_tls: a server without a client's certificate says so", "[quic][crypto]") {
  auto server = server_options();
  server.client_certificate = strata::transport::client_certificates::required;
  server.client_roots = {certificates().authority.root()};
  auto pair = pair_of(client_options(), server);
  pair.run();
  check_failure(pair.server, 116);
  CHECK(pair.server.session->failure()->certificate);

  auto client = client_options();
  client.credential = certificates().client.credential();
  auto mutual = pair_of(client, server);
  mutual.run();
  check_complete(mutual);
  REQUIRE(mutual.server.session->summary().peer_certificates.size() == 1);
  CHECK(mutual.server.session->summary().peer_certificates[0] == certificates().client.der);
}

TEST_CASE("openssl_tls: addresses are verified, not asked for", "[quic][crypto]") {
  for (const char* const name : {"127.0.0.1", "::1"}) {
    auto pair = pair_of(client_options(), server_options(), name);
    pair.run();
    check_complete(pair);
    CHECK(pair.client.session->summary().server_name == name);
    CHECK(pair.server.session->summary().server_name.empty());
  }
}

TEST_CASE("openssl_tls: the certificate follows the name, and the callbacks survive it",
          "[quic][crypto]") {
  auto server = server_options();
  server.credentials = {certificates().server.credential(), certificates().wrong_name.credential()};
  auto pair = pair_of(client_options(), server, "elsewhere.test");
  pair.run();
  check_complete(pair);
  CHECK(pair.client.session->summary().peer_certificates[0] == certificates().wrong_name.der);
  CHECK(pair.server.session->summary().server_name == "elsewhere.test");
}

//= RFC 9001 section 4.9
//# new data MUST be sent at the highest currently available encryption level
TEST_CASE("openssl_tls: tickets after the handshake resume the next one", "[quic][crypto]") {
  octets saved;
  int received = 0;
  auto options = client_options();
  options.session_received = [&](std::string_view, bytes session) {
    saved.assign(session.begin(), session.end());
    ++received;
  };
  options.session_to_resume = [&](std::string_view) { return saved; };
  const auto tls = backend(options, server_options());
  const std::size_t chunk = GENERATE(1u, 50u, 100'000u);
  auto first = pair_of(*tls);
  first.chunk = chunk;
  first.run();
  check_complete(first);
  CHECK(first.server.sent[static_cast<std::size_t>(encryption_level::application)] > 0);
  CHECK(received == 2);
  auto second = pair_of(*tls);
  second.chunk = chunk;
  second.run();
  check_complete(second);
  CHECK(second.client.session->summary().resumed);
  CHECK(second.server.session->summary().resumed);
  CHECK(as_text(*second.server.session->peer_transport_parameters()) == "parameters of the client");
}

TEST_CASE("openssl_tls: a client that wants no sessions swallows tickets", "[quic][crypto]") {
  auto pair = pair_of();
  pair.chunk = GENERATE(1u, 100'000u);
  pair.run();
  check_complete(pair);
  CHECK(pair.server.sent[static_cast<std::size_t>(encryption_level::application)] > 0);
}

//= RFC 9001 section 6
//= type=test
//# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a connection error of type
//# 0x010a, equivalent to a fatal TLS alert of unexpected_message; see Section 4.8.
//= RFC 9001 section 4.4
//# clients MUST treat receipt of such messages as a connection error of type PROTOCOL_VIOLATION
TEST_CASE("openssl_tls: messages that QUIC forbids after the handshake are refused",
          "[quic][crypto][attack][T07]") {
  auto options = client_options();
  if (GENERATE(false, true)) options.session_received = [](std::string_view, bytes) {};
  const octets key_update = from_hexadecimal("1800000100");
  for (const bool at_client : {false, true}) {
    auto pair = pair_of(options);
    pair.run();
    check_complete(pair);
    auto& side = at_client ? pair.client : pair.server;
    for (const std::byte octet : key_update)
      side.session->receive(encryption_level::application, {&octet, 1});
    check_failure(side, 10);
  }
  auto pair = pair_of(options);
  pair.run();
  // CertificateRequest at the client is PROTOCOL_VIOLATION (RFC 9001 section 4.4); a ticket at a
  // server is out of place.
  pair.client.session->receive(encryption_level::application, from_hexadecimal("0d0000030000"
                                                                               "00"));
  check_failure(pair.client, 10, true);
  pair.server.session->receive(encryption_level::application, from_hexadecimal("04000000"));
  check_failure(pair.server, 10);
}

//= RFC 9001 section 4.6.1
//# A client MUST treat receipt of a NewSessionTicket that contains an early_data extension with
//# any other value as a connection error of type PROTOCOL_VIOLATION.
TEST_CASE("openssl_tls: EndOfEarlyData is refused", "[quic][crypto][attack][H3SPEC-T33]") {
  auto pair = pair_of();
  pair.tamper = [](bool from_client, encryption_level level, octets& message) {
    if (from_client && level == encryption_level::handshake) message = from_hexadecimal("05000000");
  };
  pair.run();
  check_failure(pair.server, 10);
}

//= RFC 9001 section 4.1.3
//= type=test
//# When TLS provides keys for a higher encryption level,
//# if there is data from a previous encryption level that TLS has not consumed,
//# this MUST be treated as a connection error of type PROTOCOL_VIOLATION.
//= RFC 9001 section 4.1.3
//# If the packet is from a previously installed encryption level, it MUST NOT contain data that
//# extends past the end of previously received data in that flow.
//= RFC 9001 section 4.1.3
//# Implementations MUST treat any violations of this requirement as a connection error of type
//# PROTOCOL_VIOLATION.
TEST_CASE("openssl_tls: bytes past the end of a level are refused", "[quic][crypto][attack][T08]") {
  for (const bool at_client : {false, true}) {
    auto pair = pair_of();
    pair.tamper = [=](bool from_client, encryption_level level, octets& message) {
      if (from_client != at_client && level == encryption_level::initial)
        message.resize(message.size() + 7);
    };
    pair.run();
    auto& side = at_client ? pair.client : pair.server;
    REQUIRE(side.session->failure() != nullptr);
    CHECK(side.session->failure()->alert == 10);
  }
  auto pair = pair_of();
  pair.run();
  const std::byte more[1]{};
  pair.client.session->receive(encryption_level::handshake, more);
  check_failure(pair.client, 10, true);
  pair.server.session->receive(encryption_level::initial, more);
  check_failure(pair.server, 10, true);
  auto early = pair_of();
  early.server.session->receive(encryption_level::early_data, more);
  check_failure(early.server, 10, true);
}

TEST_CASE("openssl_tls: what is kept for a later level is bounded", "[quic][crypto]") {
  for (const int over : {-1, 0, 1}) {
    auto pair = pair_of();
    const octets early(
        static_cast<std::size_t>(static_cast<int>(limits::max_crypto_buffer) + over));
    pair.server.session->receive(encryption_level::handshake, bytes(early).first(1000));
    pair.server.session->receive(encryption_level::handshake, bytes(early).subspan(1000));
    CHECK((pair.server.session->failure() != nullptr) == (over > 0));
  }
}

TEST_CASE("openssl_tls: damage anywhere in the handshake ends it, never more",
          "[quic][crypto][attack][R09]") {
  const auto tls = backend(client_options(), server_options());
  strata::testkit::fake_random random(GENERATE(1u, 2u, 3u));
  for (int round = 0; round < 60; ++round) {
    auto pair = pair_of(*tls);
    pair.chunk = 1 + random.below(400);
    bool damaged = false;
    const bool at_client = random.happens(0.5);
    const bool in_handshake = random.happens(0.5);
    pair.tamper = [&](bool from_client, encryption_level level, octets& message) {
      if (damaged || from_client == at_client) return;
      if ((level == encryption_level::handshake) != in_handshake ||
          level == encryption_level::application)
        return;
      message[random.below(message.size())] ^= static_cast<std::byte>(1 + random.below(255));
      if (random.happens(0.2)) message.resize(random.below(message.size()) + 1);
      damaged = true;
    };
    pair.run();
    CHECK(damaged);
    CHECK_FALSE(pair.complete());
  }
}

TEST_CASE("openssl_tls: garbage is a failure, not a crash", "[quic][crypto]") {
  const auto tls = backend(client_options(), server_options());
  strata::testkit::fake_random random(5);
  for (int round = 0; round < 200; ++round) {
    auto pair = pair_of(*tls);
    auto& session = random.happens(0.5) ? *pair.client.session : *pair.server.session;
    session.start();
    for (int piece = 0; piece < 5; ++piece) {
      octets garbage(random.below(600));
      random.fill(garbage);
      if (!garbage.empty() && random.happens(0.7))
        garbage[0] = static_cast<std::byte>(1 + random.below(2));
      session.receive(static_cast<encryption_level>(random.below(4)), garbage);
    }
    CHECK_FALSE(session.handshake_complete());
  }
}

TEST_CASE("openssl_tls: errors that others left in the thread's queue do not count",
          "[quic][crypto]") {
  auto pair = pair_of();
  pair.chunk = 200;
  pair.tamper = [](bool, encryption_level, octets&) {
    ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
  };
  ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
  pair.run();
  check_complete(pair);
  ERR_clear_error();
}

TEST_CASE("openssl_tls: a session may end at any time", "[quic][crypto]") {
  const auto tls = backend(client_options(), server_options());
  for (std::size_t steps = 0; steps < 40; ++steps) {
    auto pair = pair_of(*tls);
    std::size_t left = steps;
    pair.chunk = 97;
    pair.tamper = [&](bool, encryption_level, octets& message) {
      const std::size_t most = std::min(message.size(), left * 97);
      left -= (most + 96) / 97;
      message.resize(most);
    };
    pair.run();
  }
  SUCCEED();
}

TEST_CASE("openssl_tls: sessions outlive their backend and contexts", "[quic][crypto]") {
  std::optional<tls_pair> pair;
  pair.emplace(pair_of());  // Which destroys what they were made with.
  pair->run();
  check_complete(*pair);
}

TEST_CASE("openssl_tls: a missing role, protocol or name is refused at once", "[quic][crypto]") {
  auto client = make_tls_client_context(client_options());
  auto server = make_tls_server_context(server_options());
  REQUIRE((client.has_value() && server.has_value()));
  CHECK(make_openssl_tls(*client, std::nullopt)->accept({}).error() ==
        strata::transport::errc::not_supported);
  CHECK(make_openssl_tls(std::nullopt, *server)->connect("a", {}).error() ==
        strata::transport::errc::not_supported);
  CHECK_FALSE(make_openssl_tls(*server, *client)->connect("a", {}).has_value());
  CHECK_FALSE(make_openssl_tls(*client, *server)->connect("", {}).has_value());
  CHECK_FALSE(make_openssl_tls(*client, *server)->null_protection());
  auto options = client_options();
  options.alpn.clear();
  auto without = make_tls_client_context(options);
  REQUIRE(without.has_value());
  CHECK(make_openssl_tls(*without, *server)->connect("server.test", {}).error() ==
        strata::transport::errc::invalid_argument);
}

TEST_CASE("openssl_tls: transport parameters may be empty", "[quic][crypto]") {
  const auto tls = backend(client_options(), server_options());
  auto client = tls->connect("server.test", {});
  auto server = tls->accept({});
  REQUIRE((client.has_value() && server.has_value()));
  tls_pair pair(std::move(*client), std::move(*server));
  pair.run();
  REQUIRE(pair.complete());
  CHECK(pair.client.session->peer_transport_parameters()->empty());
}

TEST_CASE("openssl_tls: a seeded library replays a handshake byte for byte", "[quic][crypto]") {
  const auto transcript_of = [](std::uint64_t seed) {
    const strata::testkit::seeded_tls_library library(seed);
    const auto now = std::chrono::system_clock::now();
    auto client = client_options();
    auto server = server_options();
    client.native_library = server.native_library = library.native();
    client.verification_time = server.verification_time = now;
    auto pair = pair_of(client, server);
    octets transcript;
    pair.tamper = [&](bool, encryption_level level, octets& message) {
      // Tickets hold the time of day.
      if (level == encryption_level::application) return;
      transcript.insert(transcript.end(), message.begin(), message.end());
    };
    pair.run();
    check_complete(pair);
    return transcript;
  };
  const octets first = transcript_of(1);
  CHECK(transcript_of(1) == first);
  CHECK(transcript_of(2) != first);
}
