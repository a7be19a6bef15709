// SPDX-License-Identifier: Apache-2.0
// The handshake of the byte stream: what it agrees on, whom it refuses, and how it ends.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "strata/transport/core/error.hpp"
#include "tls_pair.hpp"

namespace {

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::chrono_literals;
using event = tls_connection::event;
using strata::testkit::test_certificates;

const test_certificates& certificates() { return test_certificates::shared(); }

tls_pair between(const tls_client_options& client, const tls_server_options& server,
                 tls_pair_options options = {}) {
  return {made(make_tls_client_context(client)), made(make_tls_server_context(server)),
          std::move(options)};
}

template <class Options>
Options with_tls12(Options options) {
  options.minimum_version = tls_version::tls12;
  return options;
}

template <class Options>
Options only_tls12(Options options) {
  options.minimum_version = options.maximum_version = tls_version::tls12;
  return options;
}

}  // namespace

TEST_CASE("tls_connection: both sides agree, whatever the carrier's pieces", "[transport][tls]") {
  const std::size_t step = GENERATE(1u, 2u, 7u, 100u, 1'000'000u);
  auto pair = between(trusting_client(), test_server(), {.step = step});
  REQUIRE(pair.shake_hands());
  CHECK(pair.client.count(event::ready) == 1);
  CHECK(pair.server.count(event::ready) == 1);
  const auto client = pair.client.core.security();
  const auto server = pair.server.core.security();
  CHECK(client.protocol == "TLSv1.3");
  CHECK(client.cipher == "TLS_AES_128_GCM_SHA256");
  CHECK(client.group == "X25519MLKEM768");
  CHECK(client.alpn == "test/1");
  CHECK(client.server_name == "server.test");
  REQUIRE(client.peer_certificates.size() == 1);
  CHECK(client.peer_certificates[0] == certificates().server.der);
  CHECK(client.peer_certificate_sha256 == certificates().server.sha256);
  CHECK_FALSE(client.resumed);
  CHECK(client.ech == ech_status::not_tried);
  CHECK_FALSE(client.early);
  CHECK(server.protocol == client.protocol);
  CHECK(server.cipher == client.cipher);
  CHECK(server.group == client.group);
  CHECK(server.alpn == client.alpn);
  CHECK(server.server_name == "server.test");
  CHECK(server.peer_certificates.empty());
  CHECK_FALSE(server.peer_certificate_sha256.has_value());
  CHECK(pair.client.core.half_close());
}

TEST_CASE("tls_connection: an address is verified and not asked for", "[transport][tls]") {
  for (const char* const name : {"127.0.0.1", "::1"}) {
    auto pair = between(trusting_client(), test_server(), {.client = {.server_name = name}});
    REQUIRE(pair.shake_hands());
    CHECK(pair.client.core.security().server_name == name);
    CHECK(pair.server.core.security().server_name.empty());
  }
  auto other = between(trusting_client(), test_server(), {.client = {.server_name = "192.0.2.1"}});
  CHECK_FALSE(other.shake_hands());
  CHECK(other.client.core.failure()->code == errc::certificate_rejected);
}

TEST_CASE("tls_connection: a client needs a name that can be asked for", "[transport][tls]") {
  const auto context = made(make_tls_client_context(trusting_client()));
  page_store pages;
  for (const std::string& name : {std::string(), std::string("a\0b", 3), std::string(300, 'a')}) {
    tls_connection core(context, {.server_name = name}, pages);
    const auto begun = core.begin(time_point());
    REQUIRE_FALSE(begun.has_value());
    CHECK(begun.error() == errc::invalid_argument);
  }
}

TEST_CASE("tls_connection: a certificate that does not verify ends it on both sides",
          "[transport][tls]") {
  const struct {
    tls_credential shown;
    std::uint8_t alert;
    const char* reason;
  } cases[] = {{certificates().wrong_name.credential(), 42, "ostname mismatch"},
               {certificates().expired.credential(), 45, "expired"}};
  for (const auto& each : cases) {
    auto server = test_server();
    server.credentials = {each.shown};
    auto pair = between(trusting_client(), server);
    CHECK_FALSE(pair.shake_hands());
    const tls_failure* const failure = pair.client.core.failure();
    REQUIRE(failure != nullptr);
    CHECK(failure->code == errc::certificate_rejected);
    CHECK(failure->alert_sent == each.alert);
    CHECK_FALSE(failure->alert_received.has_value());
    INFO(failure->text);
    CHECK(failure->text.find(each.reason) != std::string::npos);
    CHECK(failure->text.find("server.test") != std::string::npos);
    CHECK(pair.client.count(event::failed) == 1);
    CHECK_FALSE(pair.client.saw(event::ready));
    CHECK(pair.client.core.finished());
    REQUIRE(pair.server.core.failure() != nullptr);
    CHECK(pair.server.core.failure()->alert_received == each.alert);
    CHECK(pair.server.core.failure()->code == errc::tls_failed);
    CHECK(pair.client.core.read(std::span<std::byte>{}).has_value());
    CHECK(pair.client.write("x") == 0);
  }
}

TEST_CASE("tls_connection: the alert goes out before the end", "[transport][tls]") {
  auto server = test_server();
  server.credentials = {certificates().expired.credential()};
  auto pair = between(trusting_client(), server);
  pair.carry(pair.client, pair.server);
  pair.carry(pair.server, pair.client);
  REQUIRE(pair.client.core.failure() != nullptr);
  CHECK_FALSE(pair.client.core.finished());
  CHECK_FALSE(pair.client.core.output_ended());
  CHECK_FALSE(pair.client.core.wants_input());
  pair.carry(pair.client, pair.server);
  CHECK(pair.client.core.finished());
  CHECK(pair.client.core.output_ended());
}

TEST_CASE("tls_connection: pins, roots from memory and a verifier decide", "[transport][tls]") {
  auto server = test_server();
  server.credentials = {certificates().wrong_name.credential()};
  tls_client_options pinning;
  pinning.alpn = {"test/1"};
  pinning.pinned_certificates = {certificates().wrong_name.sha256};
  CHECK(between(pinning, server).shake_hands());
  pinning.pinned_certificates = {certificates().server.sha256};
  CHECK_FALSE(between(pinning, server).shake_hands());

  tls_client_options asking;
  asking.alpn = {"test/1"};
  std::string asked;
  asking.verify = [&](const peer_certificates& peer) {
    asked = peer.name;
    return peer.der.front() == certificates().wrong_name.der;
  };
  CHECK(between(asking, server).shake_hands());
  CHECK(asked == "server.test");
  CHECK_FALSE(between(asking, test_server()).shake_hands());

  const strata::testkit::certificate_authority stranger("Somebody else");
  auto foreign = trusting_client();
  foreign.roots = {stranger.root()};
  CHECK_FALSE(between(foreign, test_server()).shake_hands());
}

TEST_CASE("tls_connection: certificates of clients", "[transport][tls]") {
  auto server = test_server();
  server.client_certificate = client_certificates::required;
  server.client_roots = {certificates().authority.root()};
  auto client = trusting_client();
  auto without = between(client, server);
  without.run();
  REQUIRE(without.server.core.failure() != nullptr);
  CHECK(without.server.core.failure()->code == errc::certificate_rejected);
  // In TLS 1.3 the client learns it after its own handshake is done.
  REQUIRE(without.client.core.failure() != nullptr);
  CHECK(without.client.core.failure()->code == errc::closed_by_peer);
  CHECK(without.client.core.failure()->alert_received == 116);

  client.credential = certificates().client.credential();
  auto with = between(client, server);
  REQUIRE(with.shake_hands());
  CHECK(with.server.core.security().peer_certificate_sha256 == certificates().client.sha256);
  REQUIRE(with.server.core.security().peer_certificates.size() == 1);
}

TEST_CASE("tls_connection: TLS 1.2 where it is allowed, and only there", "[transport][tls]") {
  auto old = between(with_tls12(trusting_client()), only_tls12(test_server()));
  REQUIRE(old.shake_hands());
  CHECK(old.client.core.security().protocol == "TLSv1.2");
  CHECK(old.client.core.security().cipher == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
  CHECK(old.server.core.security().alpn == "test/1");
  CHECK_FALSE(old.client.core.half_close());

  auto best = between(with_tls12(trusting_client()), with_tls12(test_server()));
  REQUIRE(best.shake_hands());
  CHECK(best.client.core.security().protocol == "TLSv1.3");

  auto strict = between(trusting_client(), only_tls12(test_server()));
  CHECK_FALSE(strict.shake_hands());
  CHECK(strict.client.core.failure()->alert_received == 70);
  CHECK_FALSE(between(only_tls12(trusting_client()), test_server()).shake_hands());
}

TEST_CASE("tls_connection: no protocol in common is a refusal", "[transport][tls]") {
  auto client = trusting_client();
  client.alpn = {"other"};
  auto pair = between(client, test_server());
  CHECK_FALSE(pair.shake_hands());
  CHECK(pair.client.core.failure()->alert_received == 120);
  CHECK(pair.server.core.failure()->alert_sent == 120);
}

TEST_CASE("tls_connection: the key log of both sides is the same", "[transport][tls]") {
  std::vector<std::string> lines[2];
  auto client = trusting_client();
  auto server = test_server();
  client.keylog = [&](std::string_view line) { lines[0].emplace_back(line); };
  server.keylog = [&](std::string_view line) { lines[1].emplace_back(line); };
  REQUIRE(between(client, server).shake_hands());
  for (auto& each : lines) std::sort(each.begin(), each.end());
  CHECK(lines[0].size() >= 4);
  CHECK(lines[0] == lines[1]);
}

TEST_CASE("tls_connection: the handshake has a deadline", "[transport][tls]") {
  const auto server = made(make_tls_server_context(test_server()));
  const auto client = made(make_tls_client_context(trusting_client()));
  for (const auto& [waited, over] : {std::pair{limits::tls_handshake_timeout - 1ns, false},
                                     {limits::tls_handshake_timeout + 0ns, true},
                                     {limits::tls_handshake_timeout + 1ns, true}}) {
    page_store pages;
    tls_end silent(server, {}, pages);
    const time_point start(1h);
    REQUIRE(silent.core.begin(start).has_value());
    silent.core.handle_timeout(start + waited);
    silent.drain();
    CHECK((silent.core.failure() != nullptr) == over);
    CHECK(silent.saw(event::failed) == over);
    CHECK(silent.core.finished() == over);
    if (over) CHECK(silent.core.failure()->code == errc::timed_out);
  }
  tls_pair pair(client, server,
                {.client = {.server_name = "server.test", .handshake_timeout = 3s}});
  CHECK(pair.client.core.next_timeout() <= pair.now + 3s);
  REQUIRE(pair.shake_hands());
  pair.advance(1h);
  CHECK(pair.client.core.failure() == nullptr);
  CHECK_FALSE(pair.client.core.next_timeout().has_value());
  CHECK_FALSE(pair.server.core.next_timeout().has_value());
}

TEST_CASE("tls_connection: a deadline counts bytes that trickle in too", "[transport][tls]") {
  const auto server = made(make_tls_server_context(test_server()));
  page_store pages;
  tls_end slow(server, {}, pages);
  time_point now(1h);
  REQUIRE(slow.core.begin(now).has_value());
  const std::byte trickle[] = {std::byte{22}, std::byte{3}, std::byte{1}, std::byte{2}};
  for (std::size_t second = 0; second < 11; ++second) {
    now += 1s;
    slow.core.receive(now, bytes(trickle).subspan(std::min<std::size_t>(second, 3), 1));
    slow.core.release_input();
    slow.core.handle_timeout(now);
  }
  REQUIRE(slow.core.failure() != nullptr);
  CHECK(slow.core.failure()->code == errc::timed_out);
}

TEST_CASE("tls_connection: the carrier ends in the handshake", "[transport][tls]") {
  auto ended = between(trusting_client(), test_server());
  ended.carry(ended.client, ended.server);
  ended.end_carrier(ended.client);
  CHECK(ended.client.core.failure()->code == errc::truncated);
  CHECK(ended.client.saw(event::failed));

  auto lost = between(trusting_client(), test_server());
  lost.client.core.carrier_lost(std::make_error_code(std::errc::connection_reset));
  lost.client.drain();
  CHECK(lost.client.core.failure()->code == std::errc::connection_reset);
  CHECK(lost.client.saw(event::failed));
}

TEST_CASE("tls_connection: a hello that no key share fits is asked for again", "[transport][tls]") {
  auto client = trusting_client();
  client.groups = {"X25519", "P-384"};
  auto server = test_server();
  server.groups = {"P-384"};
  auto pair = between(client, server);
  REQUIRE(pair.shake_hands());
  CHECK(pair.client.core.security().group == "secp384r1");
}
