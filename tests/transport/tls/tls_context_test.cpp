// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "memory_handshake.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tls.hpp"
#include "testkit/certificates.hpp"

namespace {

using namespace strata::transport;
using strata::testkit::test_certificates;
using tests::memory_handshake;

const test_certificates& certificates() { return test_certificates::shared(); }

tls_client_options trusting() {
  tls_client_options options;
  options.alpn = {"h3"};
  options.system_roots = false;
  options.roots = {certificates().authority.root()};
  return options;
}

tls_server_options serving(std::vector<tls_credential> credentials = {
                               certificates().server.credential()}) {
  tls_server_options options;
  options.alpn = {"h3"};
  options.credentials = std::move(credentials);
  return options;
}

tls_context made(tls_result<tls_context> context) {
  if (!context) FAIL(context.error().text);
  return *context;
}

memory_handshake between(const tls_client_options& client, const tls_server_options& server,
                         const std::string& name = "server.test") {
  return {made(make_tls_client_context(client)), made(make_tls_server_context(server)), name};
}

/// A folder that is gone with the test.
struct scratch_folder {
  scratch_folder()
      : path(std::filesystem::temp_directory_path() / ("strata-tls-" + std::to_string(::rand()))) {
    std::filesystem::create_directories(path);
  }
  ~scratch_folder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path / name) << content;
    return (path / name).string();
  }
  std::filesystem::path path;
};

void check_error(const tls_error& error, std::string_view part) {
  INFO(error.text);
  CHECK(error.code);
  CHECK(error.text.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("tls_context: a name and an address of the certificate are accepted",
          "[transport][tls]") {
  for (const char* const name : {"server.test", "localhost", "127.0.0.1", "::1"}) {
    INFO(name);
    auto handshake = between(trusting(), serving(), name);
    CHECK(handshake.run());
    CHECK(handshake.alpn() == "h3");
    CHECK(tls_context::verification_failure(handshake.client()).empty());
    CHECK(std::string(SSL_get_version(handshake.client())) == "TLSv1.3");
  }
}

TEST_CASE("tls_context: an address is verified but never asked for as a name", "[transport][tls]") {
  auto handshake = between(trusting(), serving(), "127.0.0.1");
  REQUIRE(handshake.run());
  CHECK(SSL_get_servername(handshake.server(), TLSEXT_NAMETYPE_host_name) == nullptr);
}

//= RFC 9114 section 3.1
//# Upon receiving a server certificate in the TLS handshake, the client MUST verify that the
//# certificate is an acceptable match for the URI's origin server using the process described in
//# Section 4.3.4 of [RFC9110].
//= RFC 9114 section 3.1
//# If the certificate cannot be verified with respect to the URI's origin server, the client MUST
//# NOT consider the server authoritative for that origin.
TEST_CASE("tls_context: a client refuses what it cannot trust, with the alert that says why",
          "[transport][tls]") {
  const strata::testkit::certificate_authority stranger("Somebody else");
  const auto foreign = stranger.issue({.names = {"server.test"}});
  const struct {
    tls_credential shown;
    const char* name;
    int alert;
    const char* reason;
  } cases[] = {
      {certificates().wrong_name.credential(), "server.test", 42, "ostname mismatch"},
      {certificates().server.credential(), "192.0.2.1", 42, "IP address mismatch"},
      {certificates().expired.credential(), "server.test", 45, "expired"},
      {foreign.credential(), "server.test", 48, "issuer"},
  };
  for (const auto& each : cases) {
    auto handshake = between(trusting(), serving({each.shown}), each.name);
    CHECK_FALSE(handshake.run());
    CHECK(handshake.client_alert() == each.alert);
    const std::string reason = tls_context::verification_failure(handshake.client());
    INFO(reason);
    CHECK(reason.find(each.reason) != std::string::npos);
    CHECK(reason.find("(for " + std::string(each.name) + ")") != std::string::npos);
  }
}

TEST_CASE("tls_context: verification happens at the time that was given", "[transport][tls]") {
  auto options = trusting();
  options.verification_time = std::chrono::system_clock::now() - std::chrono::hours(36);
  CHECK(between(options, serving({certificates().expired.credential()})).run());
  CHECK_FALSE(between(options, serving()).run());
}

TEST_CASE("tls_context: a client by default trusts the system's roots and no others",
          "[transport][tls]") {
  tls_client_options options;
  options.alpn = {"h3"};
  const auto context = make_tls_client_context(options);
  if (!context) {
    check_error(context.error(), "roots");
    SKIP("this system has no roots");
  }
  memory_handshake handshake(*context, made(make_tls_server_context(serving())), "server.test");
  CHECK_FALSE(handshake.run());
  CHECK(handshake.client_alert() == 48);
}

TEST_CASE("tls_context: a pinned certificate is accepted under any name, within its time",
          "[transport][tls]") {
  const auto self_signed = make_self_signed_certificate(std::vector<std::string>{"localhost"});
  REQUIRE(self_signed.has_value());
  tls_client_options options;
  options.alpn = {"h3"};
  options.pinned_certificates = {self_signed->sha256};
  CHECK(between(options, serving({self_signed->credential()}), "other.test").run());

  auto stranger = between(options, serving(), "localhost");
  CHECK_FALSE(stranger.run());
  CHECK(stranger.client_alert() == 42);

  options.pinned_certificates = {certificates().expired.sha256};
  auto expired = between(options, serving({certificates().expired.credential()}));
  CHECK_FALSE(expired.run());
  CHECK(expired.client_alert() == 45);
}

TEST_CASE("tls_context: a verifier gets the chain and the name, and decides alone",
          "[transport][tls]") {
  tls_client_options options;
  options.alpn = {"h3"};
  bool verdict = true;
  std::string name;
  std::vector<std::vector<std::byte>> chain;
  options.verify = [&](const peer_certificates& peer) {
    name = peer.name;
    chain.assign(peer.der.begin(), peer.der.end());
    return verdict;
  };
  CHECK(between(options, serving({certificates().expired.credential()}), "any.test").run());
  CHECK(name == "any.test");
  REQUIRE(chain.size() == 1);
  CHECK(chain[0] == certificates().expired.der);

  verdict = false;
  auto refused = between(options, serving(), "192.0.2.7");
  CHECK_FALSE(refused.run());
  CHECK(refused.client_alert() == 42);
  CHECK(name == "192.0.2.7");
}

TEST_CASE("tls_context: verification can be switched off", "[transport][tls]") {
  tls_client_options options;
  options.alpn = {"h3"};
  options.insecure_skip_verification = true;
  CHECK(between(options, serving({certificates().expired.credential()}), "any.test").run());
}

TEST_CASE("tls_context: the server's order of protocols wins", "[transport][tls]") {
  auto client = trusting();
  auto server = serving();
  client.alpn = {"a", "b", "h3"};
  server.alpn = {"x", "h3", "b"};
  auto handshake = between(client, server);
  REQUIRE(handshake.run());
  CHECK(handshake.alpn() == "h3");
}

TEST_CASE("tls_context: no common protocol ends with no_application_protocol", "[transport][tls]") {
  auto client = trusting();
  client.alpn = {"h2", "http/1.1"};
  auto handshake = between(client, serving());
  CHECK_FALSE(handshake.run());
  CHECK(handshake.server_alert() == 120);
}

//= RFC 9114 section 3.2
//# HTTP/3 clients MUST support a mechanism to indicate the target host to the server during the
//# TLS handshake.
//= RFC 9114 section 3.2
//# clients MUST send the Server Name Indication (SNI; [RFC6066]) TLS extension
TEST_CASE("tls_context: the certificate follows the name that is asked for", "[transport][tls]") {
  const auto wildcard = certificates().authority.issue({.names = {"*.many.test"}});
  const auto options = serving({certificates().server.credential(),
                                certificates().wrong_name.credential(), wildcard.credential()});
  auto client = trusting();
  const auto shown_for = [&](const std::string& name, bool accepted) {
    auto handshake = between(client, options, name);
    CHECK(handshake.run() == accepted);
    return handshake.shown();
  };
  CHECK(shown_for("server.test", true) == certificates().server.sha256);
  CHECK(shown_for("elsewhere.test", true) == certificates().wrong_name.sha256);
  CHECK(shown_for("a.many.test", true) == wildcard.sha256);
  client.insecure_skip_verification = true;
  CHECK(shown_for("unknown.test", true) == certificates().server.sha256);
  CHECK(shown_for("127.0.0.1", true) == certificates().server.sha256);
}

TEST_CASE("tls_context: client certificates are ignored, wanted or needed", "[transport][tls]") {
  auto with = trusting();
  with.credential = certificates().client.credential();
  auto server = serving();
  server.client_roots = {certificates().authority.root()};

  server.client_certificate = client_certificates::required;
  CHECK(between(with, server).run());
  auto without = between(trusting(), server);
  CHECK_FALSE(without.run());
  CHECK(without.server_alert() == 116);

  server.client_certificate = client_certificates::requested;
  CHECK(between(trusting(), server).run());
  const strata::testkit::certificate_authority stranger("Somebody else");
  with.credential = stranger.issue({.names = {"client.test"}}).credential();
  auto foreign = between(with, server);
  CHECK_FALSE(foreign.run());
  CHECK(foreign.server_alert() == 48);

  server.client_certificate = client_certificates::ignored;
  CHECK(between(with, server).run());
}

TEST_CASE("tls_context: suites and groups are those that were chosen", "[transport][tls]") {
  auto client = trusting();
  client.cipher_suites = {"TLS_CHACHA20_POLY1305_SHA256"};
  client.groups = {"P-256"};
  auto handshake = between(client, serving());
  REQUIRE(handshake.run());
  CHECK(std::string(SSL_get_cipher_name(handshake.client())) == "TLS_CHACHA20_POLY1305_SHA256");
  CHECK(std::string(SSL_get0_group_name(handshake.client())) == "secp256r1");
}

TEST_CASE("tls_context: the key log names the secrets of both sides alike", "[transport][tls]") {
  std::vector<std::string> client_lines;
  std::vector<std::string> server_lines;
  auto client = trusting();
  auto server = serving();
  client.keylog = [&](std::string_view line) { client_lines.emplace_back(line); };
  server.keylog = [&](std::string_view line) { server_lines.emplace_back(line); };
  REQUIRE(between(client, server).run());
  std::sort(client_lines.begin(), client_lines.end());
  std::sort(server_lines.begin(), server_lines.end());
  CHECK(client_lines == server_lines);
  const auto has = [&](std::string_view label) {
    return std::any_of(client_lines.begin(), client_lines.end(),
                       [&](const std::string& line) { return line.starts_with(label); });
  };
  CHECK(has("CLIENT_HANDSHAKE_TRAFFIC_SECRET "));
  CHECK(has("SERVER_HANDSHAKE_TRAFFIC_SECRET "));
  CHECK(has("CLIENT_TRAFFIC_SECRET_0 "));
  CHECK(has("SERVER_TRAFFIC_SECRET_0 "));
}

TEST_CASE("tls_context: a key log file is appended to and private", "[transport][tls]") {
  const scratch_folder folder;
  const std::string path = (folder.path / "keys.log").string();
  for (const char* const line : {"one", "two"}) {
    const auto sink = make_keylog_file(path);
    REQUIRE(sink.has_value());
    (*sink)(line);
  }
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  CHECK(content.str() == "one\ntwo\n");
  using std::filesystem::perms;
  CHECK((std::filesystem::status(path).permissions() & (perms::group_all | perms::others_all)) ==
        perms::none);
  const auto impossible = make_keylog_file((folder.path / "missing" / "keys.log").string());
  REQUIRE_FALSE(impossible.has_value());
  check_error(impossible.error(), "missing/keys.log");
}

TEST_CASE("tls_context: a session that was received resumes the next connection",
          "[transport][tls]") {
  std::vector<std::byte> saved;
  auto options = trusting();
  options.session_received = [&](std::string_view name, bytes session) {
    CHECK(name == "server.test");
    saved.assign(session.begin(), session.end());
  };
  options.session_to_resume = [&](std::string_view name) {
    CHECK(name == "server.test");
    return saved;
  };
  const auto client = made(make_tls_client_context(options));
  const auto server = made(make_tls_server_context(serving()));
  memory_handshake first(client, server, "server.test");
  REQUIRE(first.run());
  CHECK(SSL_session_reused(first.client()) == 0);
  REQUIRE_FALSE(saved.empty());
  memory_handshake second(client, server, "server.test");
  REQUIRE(second.run());
  CHECK(SSL_session_reused(second.client()) == 1);
  // One that cannot be read only costs a full handshake.
  saved.assign(40, std::byte{0x30});
  memory_handshake third(client, server, "server.test");
  REQUIRE(third.run());
  CHECK(SSL_session_reused(third.client()) == 0);
}

TEST_CASE("tls_context: what does not fit together is said in words", "[transport][tls]") {
  const scratch_folder folder;
  const auto& certificate = certificates().server;
  const auto server_error = [](tls_credential credential) {
    const auto context = make_tls_server_context(serving({std::move(credential)}));
    REQUIRE_FALSE(context.has_value());
    return context.error();
  };
  const std::string missing = (folder.path / "missing.pem").string();
  const auto unreadable = server_error(
      {pem_source::from_file(missing), pem_source::from_text(certificate.private_key_pem)});
  check_error(unreadable, missing);
  CHECK(unreadable.code == std::errc::no_such_file_or_directory);
  check_error(server_error({pem_source::from_text(certificate.certificate_pem),
                            pem_source::from_file(missing)}),
              missing);

  const std::string other_key = folder.file("other.key", certificates().client.private_key_pem);
  check_error(server_error({pem_source::from_text(certificate.certificate_pem),
                            pem_source::from_file(other_key)}),
              "does not belong to the first certificate");
  check_error(server_error({pem_source::from_text("hello"),
                            pem_source::from_text(certificate.private_key_pem)}),
              "BEGIN CERTIFICATE");
  check_error(server_error({pem_source::from_text(certificate.certificate_pem),
                            pem_source::from_text("hello")}),
              "BEGIN PRIVATE KEY");
  check_error(server_error({pem_source::from_text(certificate.certificate_pem), {}}),
              "no private key given");
  check_error(
      server_error({pem_source::from_text(certificate.certificate_pem),
                    pem_source::from_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END "
                                          "ENCRYPTED PRIVATE KEY-----\n")}),
      "decrypted");
  std::string damaged = certificate.certificate_pem;
  damaged[damaged.size() / 2] = '!';
  check_error(server_error({pem_source::from_text(certificate.certificate_pem + damaged),
                            pem_source::from_text(certificate.private_key_pem)}),
              "certificate number 2");
  check_error(make_tls_server_context(serving({})).error(), "make_self_signed_certificate");

  auto client = trusting();
  client.cipher_suites = {"TLS_AES_128_CCM_8_SHA256"};
  check_error(make_tls_client_context(client).error(), "TLS_AES_128_CCM_8_SHA256");
  client = trusting();
  client.groups = {"X25519", "no-such-group"};
  check_error(make_tls_client_context(client).error(), "no-such-group");
  client = trusting();
  client.roots.clear();
  check_error(make_tls_client_context(client).error(), "nobody is trusted");
  auto server = serving();
  server.client_certificate = client_certificates::required;
  check_error(make_tls_server_context(server).error(), "client_roots");
}

TEST_CASE("tls_context: protocols have 1 to 255 bytes", "[transport][tls]") {
  for (const auto& [size, accepted] :
       {std::pair{0, false}, {1, true}, {254, true}, {255, true}, {256, false}}) {
    auto client = trusting();
    auto server = serving();
    client.alpn = server.alpn = {std::string(static_cast<std::size_t>(size), 'p')};
    CHECK(make_tls_client_context(client).has_value() == accepted);
    CHECK(make_tls_server_context(server).has_value() == accepted);
  }
}

TEST_CASE("tls_context: chains and keys are read from files, and intermediates are sent",
          "[transport][tls]") {
  const scratch_folder folder;
  const auto& certificate = certificates().server;
  const std::string chain =
      folder.file("chain.pem", certificate.certificate_pem + certificates().authority.root().text);
  const std::string key = folder.file("key.pem", certificate.private_key_pem);
  auto options = trusting();
  options.roots = {
      pem_source::from_file(folder.file("ca.pem", certificates().authority.root().text))};
  auto handshake =
      between(options, serving({{pem_source::from_file(chain), pem_source::from_file(key)}}));
  REQUIRE(handshake.run());
  CHECK(sk_X509_num(SSL_get_peer_cert_chain(handshake.client())) == 2);
}

TEST_CASE("make_self_signed_certificate: names become names, addresses become addresses",
          "[transport][tls]") {
  const auto self_signed =
      make_self_signed_certificate(std::vector<std::string>{"localhost", "127.0.0.1", "::1"});
  REQUIRE(self_signed.has_value());
  tls_client_options options;
  options.alpn = {"h3"};
  options.system_roots = false;
  options.roots = {pem_source::from_text(self_signed->certificate_pem)};
  for (const char* const name : {"localhost", "127.0.0.1", "::1"}) {
    auto handshake = between(options, serving({self_signed->credential()}), name);
    CHECK(handshake.run());
    CHECK(handshake.shown() == self_signed->sha256);
  }
  CHECK_FALSE(between(options, serving({self_signed->credential()}), "other.test").run());
  // Browsers accept a certificate by its hash for 14 days at most.
  options.verification_time = std::chrono::system_clock::now() + std::chrono::hours(24 * 14 - 2);
  CHECK(between(options, serving({self_signed->credential()}), "localhost").run());
  options.verification_time = std::chrono::system_clock::now() + std::chrono::hours(24 * 14);
  CHECK_FALSE(between(options, serving({self_signed->credential()}), "localhost").run());
  CHECK_FALSE(make_self_signed_certificate({}).has_value());
  CHECK_FALSE(make_self_signed_certificate(std::vector<std::string>{""}).has_value());
  CHECK(make_self_signed_certificate(std::vector<std::string>{std::string(200, 'a') + ".test"})
            .has_value());
}
