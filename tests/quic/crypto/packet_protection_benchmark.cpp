// SPDX-License-Identifier: Apache-2.0
// Prints what a packet costs; hidden, because a timing is never a test: strata-quic-crypto-tests
// "[.benchmark]".
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>
#include <vector>

#include "core/crypto/key_schedule.hpp"

namespace {

using namespace strata::quic;
using namespace strata::quic::core;

/// Nanoseconds per call: the best of several rounds, which the machine's other work disturbs least.
template <class Call>
double nanoseconds(int calls, Call&& call) {
  double best = 1e18;
  for (int round = 0; round < 9; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) call();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    best = std::min(best, spent.count() / calls);
  }
  return best;
}

void measure(const char* name, cipher_suite suite, std::size_t secret_size) {
  const std::vector<std::byte> secret(secret_size, std::byte{3});
  auto sender = *packet_protection::from_secret(suite, secret);
  auto receiver = *packet_protection::from_secret(suite, secret);
  for (const std::size_t size : {std::size_t{1200}, std::size_t{1452}}) {
    constexpr std::size_t header = 13;
    std::vector<std::byte> packet(size);
    std::uint64_t number = 0;
    const double seal = nanoseconds(20'000, [&] {
      sender.seal(number++, packet.data(), header, size - header - aead_tag_size);
    });
    sender.seal(7, packet.data(), header, size - header - aead_tag_size);
    const std::vector<std::byte> sealed = packet;
    bool opened = true;
    const double open = nanoseconds(20'000, [&] {
      std::copy(sealed.begin(), sealed.end(), packet.begin());
      opened =
          receiver.open(7, bytes(packet).first(header), mutable_bytes(packet).subspan(header)) &&
          opened;
    });
    CHECK(opened);
    std::printf("%-20s %5zu bytes: seal %6.1f ns, open with its copy %6.1f ns\n", name, size, seal,
                open);
  }
  std::vector<std::byte> samples(44 * header_sample_size);
  std::vector<const std::byte*> pointers;
  for (std::size_t i = 0; i < 44; ++i) pointers.push_back(samples.data() + i * header_sample_size);
  std::vector<header_mask> masks(44);
  const double batch = nanoseconds(5'000, [&] { sender.header_masks(pointers, masks); });
  const double one =
      nanoseconds(20'000, [&] { sender.header_masks({pointers.data(), 1}, {masks.data(), 1}); });
  std::printf("%-20s masks: 44 in %6.1f ns (%4.1f each), one alone %5.1f ns\n", name, batch,
              batch / 44, one);
}

}  // namespace

TEST_CASE("packet_protection: nanoseconds per packet", "[.benchmark]") {
  measure("AES-128-GCM", cipher_suite::aes_128_gcm_sha256, 32);
  measure("AES-256-GCM", cipher_suite::aes_256_gcm_sha384, 48);
  measure("ChaCha20-Poly1305", cipher_suite::chacha20_poly1305_sha256, 32);
  measure("null", cipher_suite::null, 32);
  const connection_id id(std::vector<std::byte>(8, std::byte{1}));
  std::printf("Initial keys of both sides: %.1f us\n",
              nanoseconds(500, [&] { (void)derive_initial_protection(id, false); }) / 1e3);
  std::printf("Retry tag: %.1f us\n", nanoseconds(500, [&] {
                                        (void)retry_integrity_tag(id, std::vector<std::byte>(80));
                                      }) / 1e3);
}
