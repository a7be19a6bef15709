// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/key_schedule.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <new>
#include <vector>

#include "core/crypto/algorithms.hpp"
#include "hexadecimal.hpp"
#include "rfc9001_vectors.hpp"

namespace {

using namespace strata::quic;
using namespace strata::quic::core;
using strata::quic::tests::from_hexadecimal;
using strata::quic::tests::to_hexadecimal;
using strata::transport::mutable_bytes;

std::string expanded(cipher_suite suite, std::string_view secret, std::string_view label,
                     std::size_t size) {
  std::vector<std::byte> out(size);
  REQUIRE(expand_label(suite, from_hexadecimal(secret), label, out));
  return to_hexadecimal(out);
}

}  // namespace

//= RFC 9001 section 5.2
//= type=test
//# The HKDF-Expand-Label function defined in TLS 1.3 MUST be used for Initial
//# packets even where the TLS versions offered do not include TLS 1.3.
TEST_CASE("key_schedule: labels expand as in RFC 9001 A.1", "[quic][crypto]") {
  constexpr auto suite = cipher_suite::aes_128_gcm_sha256;
  constexpr std::string_view initial =
      "7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44";
  constexpr std::string_view client =
      "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea";
  constexpr std::string_view server =
      "3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b";
  CHECK(expanded(suite, initial, "client in", 32) == client);
  CHECK(expanded(suite, initial, "server in", 32) == server);
  CHECK(expanded(suite, client, "quic key", 16) == "1f369613dd76d5467730efcbe3b1a22d");
  CHECK(expanded(suite, client, "quic iv", 12) == "fa044b2f42a3fd3b46fb255c");
  CHECK(expanded(suite, client, "quic hp", 16) == "9f50449e04a0e810283a1e9933adedd2");
  CHECK(expanded(suite, server, "quic key", 16) == "cf3a5331653c364c88f0f379b6067e37");
  CHECK(expanded(suite, server, "quic iv", 12) == "0ac1493ca1905853b0bba03e");
  CHECK(expanded(suite, server, "quic hp", 16) == "c206b8d9b9f0f37644430b490eeaa314");
}

TEST_CASE("key_schedule: the retry key and nonce come from their own secret", "[quic][crypto]") {
  constexpr std::string_view secret =
      "d9c9943e6101fd200021506bcc02814c73030f25c79d71ce876eca876e6fca8e";
  CHECK(expanded(cipher_suite::aes_128_gcm_sha256, secret, "quic key", 16) ==
        "be0c690b9f66575a1d766b54e368c84e");
  CHECK(expanded(cipher_suite::aes_128_gcm_sha256, secret, "quic iv", 12) ==
        "461599d35d632bf2239825bb");
}

TEST_CASE("key_schedule: labels expand as in RFC 9001 A.5", "[quic][crypto]") {
  constexpr auto suite = cipher_suite::chacha20_poly1305_sha256;
  CHECK(expanded(suite, vectors::chacha20_secret, "quic key", 32) ==
        "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8");
  CHECK(expanded(suite, vectors::chacha20_secret, "quic iv", 12) == "e0459b3474bdd0e44a41c144");
  CHECK(expanded(suite, vectors::chacha20_secret, "quic hp", 32) ==
        "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4");
}

TEST_CASE("key_schedule: a secret's next phase is that of RFC 9001 A.5", "[quic][crypto]") {
  traffic_secret secret;
  secret.level = encryption_level::application;
  secret.way = traffic_secret::direction::write;
  secret.cipher = cipher_suite::chacha20_poly1305_sha256;
  secret.size = 32;
  strata::transport::copy_bytes(secret.octets.data(), from_hexadecimal(vectors::chacha20_secret));
  const auto next = next_phase_secret(secret);
  REQUIRE(next.has_value());
  CHECK(to_hexadecimal(next->view()) == vectors::chacha20_next_secret);
  CHECK(next->level == secret.level);
  CHECK(next->way == secret.way);
  CHECK(next->cipher == secret.cipher);
}

TEST_CASE("key_schedule: outputs end at one hash, labels at 32 bytes", "[quic][crypto]") {
  const std::vector<std::byte> secret(48);
  std::vector<std::byte> out(49);
  for (const auto& [suite, most] : {std::pair{cipher_suite::aes_128_gcm_sha256, std::size_t{32}},
                                    std::pair{cipher_suite::aes_256_gcm_sha384, std::size_t{48}},
                                    std::pair{cipher_suite::null, std::size_t{48}}}) {
    CHECK(expand_label(suite, secret, "x", mutable_bytes(out).first(most - 1)));
    CHECK(expand_label(suite, secret, "x", mutable_bytes(out).first(most)));
    CHECK_FALSE(expand_label(suite, secret, "x", mutable_bytes(out).first(most + 1)));
    CHECK(expand_label(suite, secret, std::string(31, 'a'), mutable_bytes(out).first(16)));
    CHECK(expand_label(suite, secret, std::string(32, 'a'), mutable_bytes(out).first(16)));
    CHECK_FALSE(expand_label(suite, secret, std::string(33, 'a'), mutable_bytes(out).first(16)));
  }
}

TEST_CASE("key_schedule: the retry tag is that of RFC 9001 A.4", "[quic][crypto]") {
  const auto packet = from_hexadecimal(vectors::retry_packet);
  const std::size_t size = packet.size() - aead_tag_size;
  const connection_id original(from_hexadecimal(vectors::connection_id));
  const auto tag = retry_integrity_tag(original, bytes(packet).first(size));
  REQUIRE(tag.has_value());
  CHECK(to_hexadecimal(*tag) == to_hexadecimal(bytes(packet).subspan(size)));
  const auto of_nobody = retry_integrity_tag(connection_id(), bytes(packet).first(size));
  REQUIRE(of_nobody.has_value());
  CHECK(*of_nobody != *tag);
}

TEST_CASE("key_schedule: Initial keys of both ciphers exist for every length of ID",
          "[quic][crypto]") {
  const std::vector<std::byte> id(connection_id::max_size, std::byte{9});
  for (std::size_t size = 0; size <= id.size(); ++size) {
    for (const bool null : {false, true}) {
      auto keys = derive_initial_protection(connection_id(bytes(id).first(size)), null);
      REQUIRE(keys.has_value());
      CHECK(keys->client.cipher() ==
            (null ? cipher_suite::null : cipher_suite::aes_128_gcm_sha256));
      std::vector<std::byte> packet(40);
      keys->client.seal(0, packet.data(), 4, packet.size() - 4 - aead_tag_size);
      std::vector<std::byte> copy = packet;
      CHECK_FALSE(keys->server.open(0, bytes(copy).first(4), mutable_bytes(copy).subspan(4)));
      CHECK(keys->client.open(0, bytes(packet).first(4), mutable_bytes(packet).subspan(4)));
    }
  }
}

TEST_CASE("traffic_secret: its bytes are gone after its end", "[quic][crypto]") {
  alignas(traffic_secret) std::byte room[sizeof(traffic_secret)];
  auto* const secret = new (room) traffic_secret;
  secret->octets.fill(std::byte{0xee});
  secret->~traffic_secret();
  // Read as raw memory, which is what a heap inspection would do.
  CHECK(std::count(std::begin(room), std::end(room), std::byte{0xee}) == 0);
}
