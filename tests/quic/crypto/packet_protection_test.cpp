// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/packet_protection.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <cstring>
#include <vector>

#include "allocation_count.hpp"
#include "core/crypto/key_schedule.hpp"
#include "hexadecimal.hpp"
#include "rfc9001_vectors.hpp"
#include "strata/quic/core/limits.hpp"
#include "testkit/fake_random.hpp"

namespace {

using namespace strata::quic;
using namespace strata::quic::core;
using strata::quic::tests::from_hexadecimal;
using strata::quic::tests::to_hexadecimal;
using octets = std::vector<std::byte>;

constexpr std::array every_suite{cipher_suite::null, cipher_suite::aes_128_gcm_sha256,
                                 cipher_suite::aes_256_gcm_sha384,
                                 cipher_suite::chacha20_poly1305_sha256};

octets some_secret(cipher_suite suite, std::byte first = std::byte{1}) {
  octets secret(suite == cipher_suite::aes_256_gcm_sha384 ? 48 : 32, std::byte{0x5a});
  secret[0] = first;
  return secret;
}

packet_protection some_keys(cipher_suite suite) {
  auto keys = packet_protection::from_secret(suite, some_secret(suite));
  REQUIRE(keys.has_value());
  return std::move(*keys);
}

initial_protection initial_keys() {
  auto keys =
      derive_initial_protection(connection_id(from_hexadecimal(vectors::connection_id)), false);
  REQUIRE(keys.has_value());
  return std::move(*keys);
}

void apply_mask(octets& packet, std::size_t number_offset, std::size_t number_size,
                const header_mask& mask) {
  packet[0] ^=
      mask[0] & ((packet[0] & std::byte{0x80}) != std::byte{} ? std::byte{0x0f} : std::byte{0x1f});
  for (std::size_t i = 0; i < number_size; ++i) packet[number_offset + i] ^= mask[1 + i];
}

header_mask mask_of(packet_protection& keys, const octets& packet, std::size_t number_offset) {
  const std::byte* const sample = packet.data() + number_offset + 4;
  header_mask mask;
  keys.header_masks({&sample, 1}, {&mask, 1});
  return mask;
}

struct sample_packet {
  std::uint64_t number;
  octets header;
  octets frames;
  std::size_t number_size;

  std::size_t number_offset() const { return header.size() - number_size; }
  octets protect(packet_protection& keys) const {
    octets packet = header;
    packet.insert(packet.end(), frames.begin(), frames.end());
    packet.resize(packet.size() + aead_tag_size);
    keys.seal(number, packet.data(), header.size(), frames.size());
    apply_mask(packet, number_offset(), number_size, mask_of(keys, packet, number_offset()));
    return packet;
  }
  void check_unprotects(packet_protection& keys, octets packet) const {
    apply_mask(packet, number_offset(), number_size, mask_of(keys, packet, number_offset()));
    CHECK(to_hexadecimal(bytes(packet).first(header.size())) == to_hexadecimal(header));
    REQUIRE(keys.open(number, bytes(packet).first(header.size()),
                      strata::transport::mutable_bytes(packet).subspan(header.size())));
    CHECK(to_hexadecimal(bytes(packet).subspan(header.size(), frames.size())) ==
          to_hexadecimal(frames));
  }
};

}  // namespace

TEST_CASE("packet_protection: the client Initial of RFC 9001 A.2 comes out byte for byte",
          "[quic][crypto]") {
  octets frames = from_hexadecimal(vectors::client_frames);
  frames.resize(1162);
  const sample_packet sample{2, from_hexadecimal(vectors::client_header), frames, 4};
  auto keys = initial_keys();
  CHECK(to_hexadecimal(sample.protect(keys.client)) == vectors::client_packet);
  sample.check_unprotects(keys.client, from_hexadecimal(vectors::client_packet));
}

TEST_CASE("packet_protection: the server Initial of RFC 9001 A.3 comes out byte for byte",
          "[quic][crypto]") {
  const sample_packet sample{1, from_hexadecimal(vectors::server_header),
                             from_hexadecimal(vectors::server_frames), 2};
  auto keys = initial_keys();
  CHECK(to_hexadecimal(sample.protect(keys.server)) == vectors::server_packet);
  sample.check_unprotects(keys.server, from_hexadecimal(vectors::server_packet));
}

TEST_CASE("packet_protection: the ChaCha20 packet of RFC 9001 A.5 comes out byte for byte",
          "[quic][crypto]") {
  const sample_packet sample{
      654360564, from_hexadecimal(vectors::chacha20_header), {std::byte{1}}, 3};
  auto keys = packet_protection::from_secret(cipher_suite::chacha20_poly1305_sha256,
                                             from_hexadecimal(vectors::chacha20_secret));
  REQUIRE(keys.has_value());
  CHECK(to_hexadecimal(sample.protect(*keys)) == vectors::chacha20_packet);
  sample.check_unprotects(*keys, from_hexadecimal(vectors::chacha20_packet));
}

TEST_CASE("packet_protection: what was sealed opens, for every suite and size", "[quic][crypto]") {
  const cipher_suite suite = GENERATE(from_range(every_suite));
  auto sender = some_keys(suite);
  auto receiver = some_keys(suite);
  CHECK(sender.cipher() == suite);
  strata::testkit::fake_random random(7);
  for (const std::size_t size :
       {0u, 1u, 2u, 7u, 8u, 9u, 31u, 32u, 33u, 63u, 1200u, 1452u, 65'000u}) {
    const std::uint64_t number = random.next() >> 2;
    octets packet(13 + size + aead_tag_size);
    random.fill(packet);
    const octets before(packet.begin(), packet.end() - aead_tag_size);
    sender.seal(number, packet.data(), 13, size);
    REQUIRE(receiver.open(number, bytes(packet).first(13),
                          strata::transport::mutable_bytes(packet).subspan(13)));
    CHECK(std::equal(before.begin(), before.end(), packet.begin()));
  }
}

TEST_CASE("packet_protection: every flipped bit is noticed, in header, payload and tag",
          "[quic][crypto]") {
  const cipher_suite suite = GENERATE(from_range(every_suite));
  auto keys = some_keys(suite);
  octets sealed(21 + 70 + aead_tag_size, std::byte{0x2b});
  keys.seal(77, sealed.data(), 21, 70);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    octets damaged = sealed;
    damaged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    REQUIRE_FALSE(keys.open(77, bytes(damaged).first(21),
                            strata::transport::mutable_bytes(damaged).subspan(21)));
  }
  REQUIRE(
      keys.open(77, bytes(sealed).first(21), strata::transport::mutable_bytes(sealed).subspan(21)));
}

TEST_CASE("packet_protection: another packet number, key or length does not open",
          "[quic][crypto]") {
  const cipher_suite suite = GENERATE(from_range(every_suite));
  auto keys = some_keys(suite);
  auto stranger = packet_protection::from_secret(suite, some_secret(suite, std::byte{2}));
  REQUIRE(stranger.has_value());
  octets sealed(5 + 40 + aead_tag_size);
  keys.seal(1, sealed.data(), 5, 40);
  const auto opens = [&](packet_protection& with, std::uint64_t number, std::size_t size) {
    octets copy = sealed;
    return with.open(number, bytes(copy).first(5),
                     strata::transport::mutable_bytes(copy).subspan(5, size));
  };
  for (const std::uint64_t number :
       {std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{1} << 32 | 1}) {
    CHECK_FALSE(opens(keys, number, 40 + aead_tag_size));
  }
  CHECK_FALSE(opens(*stranger, 1, 40 + aead_tag_size));
  for (std::size_t size = 0; size < 40 + aead_tag_size; ++size) REQUIRE_FALSE(opens(keys, 1, size));
  CHECK(opens(keys, 1, 40 + aead_tag_size));
}

TEST_CASE("packet_protection: the null cipher notices two swapped words and lost zeros",
          "[quic][crypto]") {
  auto keys = some_keys(cipher_suite::null);
  octets sealed(1 + 128 + aead_tag_size);
  for (std::size_t i = 0; i < 129; ++i) sealed[i] = static_cast<std::byte>(i * 7);
  keys.seal(1, sealed.data(), 1, 128);
  for (std::size_t a = 0; a < 16; ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      octets copy = sealed;
      std::swap_ranges(copy.begin() + 1 + static_cast<long>(a * 8),
                       copy.begin() + 9 + static_cast<long>(a * 8),
                       copy.begin() + 1 + static_cast<long>(b * 8));
      REQUIRE_FALSE(
          keys.open(1, bytes(copy).first(1), strata::transport::mutable_bytes(copy).subspan(1)));
    }
  }
  octets zeros(1 + 8 + aead_tag_size);
  keys.seal(1, zeros.data(), 1, 8);
  octets shorter(zeros.begin(), zeros.end());
  shorter.erase(shorter.begin() + 1);
  CHECK_FALSE(
      keys.open(1, bytes(shorter).first(1), strata::transport::mutable_bytes(shorter).subspan(1)));
}

TEST_CASE("packet_protection: masks of a batch are those of its samples one by one",
          "[quic][crypto]") {
  const cipher_suite suite = GENERATE(from_range(every_suite));
  auto keys = some_keys(suite);
  strata::testkit::fake_random random(3);
  // limits::max_batch_segments is what one call of the cipher takes: one below, it, one above, and
  // more.
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{63}, std::size_t{64},
                                  std::size_t{65}, std::size_t{200}}) {
    octets samples(count * header_sample_size);
    random.fill(samples);
    std::vector<const std::byte*> pointers;
    for (std::size_t i = 0; i < count; ++i)
      pointers.push_back(samples.data() + i * header_sample_size);
    std::vector<header_mask> together(count);
    keys.header_masks(pointers, together);
    for (std::size_t i = 0; i < count; ++i) {
      header_mask alone;
      keys.header_masks({&pointers[i], 1}, {&alone, 1});
      REQUIRE(alone == together[i]);
    }
    if (count > 1) CHECK(together[0] != together[1]);
  }
}

//= RFC 9001 section 6.1
//= type=test
//# The header protection key is not updated.
TEST_CASE("packet_protection: a key update changes the AEAD and leaves header protection alone",
          "[quic][crypto]") {
  const cipher_suite suite = GENERATE(from_range(every_suite));
  traffic_secret secret;
  secret.cipher = suite;
  const octets raw = some_secret(suite);
  secret.size = static_cast<std::uint8_t>(raw.size());
  std::copy(raw.begin(), raw.end(), secret.octets.begin());
  auto keys = some_keys(suite);
  const auto next_secret = next_phase_secret(secret);
  REQUIRE(next_secret.has_value());
  CHECK(next_secret->size == secret.size);
  CHECK_FALSE(strata::transport::equal_bytes(next_secret->view(), secret.view()));
  auto next = keys.next_phase(next_secret->view());
  auto unrelated = packet_protection::from_secret(suite, next_secret->view());
  REQUIRE((next.has_value() && unrelated.has_value()));

  octets sealed(1 + 30 + aead_tag_size);
  next->seal(9, sealed.data(), 1, 30);
  const auto opens = [&](packet_protection& with) {
    octets copy = sealed;
    return with.open(9, bytes(copy).first(1), strata::transport::mutable_bytes(copy).subspan(1));
  };
  CHECK_FALSE(opens(keys));
  CHECK(opens(*next));
  CHECK(opens(*unrelated));
  CHECK(mask_of(*next, sealed, 1) == mask_of(keys, sealed, 1));
  CHECK(mask_of(*unrelated, sealed, 1) != mask_of(keys, sealed, 1));
}

TEST_CASE("packet_protection: limits are those of RFC 9001 section 6.6", "[quic][crypto]") {
  CHECK(some_keys(cipher_suite::aes_128_gcm_sha256).confidentiality_limit() == 8'388'608);
  CHECK(some_keys(cipher_suite::aes_256_gcm_sha384).confidentiality_limit() == 8'388'608);
  CHECK(some_keys(cipher_suite::chacha20_poly1305_sha256).confidentiality_limit() >=
        std::uint64_t{1} << 62);
  CHECK(some_keys(cipher_suite::aes_128_gcm_sha256).integrity_limit() == std::uint64_t{1} << 52);
  CHECK(some_keys(cipher_suite::aes_256_gcm_sha384).integrity_limit() == std::uint64_t{1} << 52);
  CHECK(some_keys(cipher_suite::chacha20_poly1305_sha256).integrity_limit() == std::uint64_t{1}
                                                                                   << 36);
}

TEST_CASE("packet_protection: secrets of another hash's size are refused", "[quic][crypto]") {
  for (const cipher_suite suite : every_suite)
    CHECK_FALSE(packet_protection::from_secret(suite, {}).has_value());
  const octets secret(48);
  for (const std::size_t size : {31u, 33u, 48u}) {
    CHECK_FALSE(packet_protection::from_secret(cipher_suite::aes_128_gcm_sha256,
                                               bytes(secret).first(size)));
  }
  for (const std::size_t size : {32u, 47u}) {
    CHECK_FALSE(packet_protection::from_secret(cipher_suite::aes_256_gcm_sha384,
                                               bytes(secret).first(size)));
  }
  CHECK_FALSE(packet_protection());
  CHECK_FALSE(packet_protection().next_phase(secret).has_value());
}

TEST_CASE("packet_protection: no packet allocates", "[quic][crypto]") {
  REQUIRE(tests::counts_tls_library());
  const cipher_suite suite = GENERATE(from_range(every_suite));
  auto sender = some_keys(suite);
  auto receiver = some_keys(suite);
  octets packet(1200);
  std::vector<const std::byte*> samples(44, packet.data() + 30);
  std::vector<header_mask> masks(44);
  bool opened = true;
  const auto run = [&] {
    sender.seal(5, packet.data(), 20, packet.size() - 20 - aead_tag_size);
    sender.header_masks(samples, masks);
    opened = receiver.open(5, bytes(packet).first(20),
                           strata::transport::mutable_bytes(packet).subspan(20)) &&
             opened;
  };
  run();
  const std::size_t before = tests::allocations();
  for (int i = 0; i < 100; ++i) run();
  const std::size_t after = tests::allocations();
  CHECK(opened);
  CHECK(after == before);
}
