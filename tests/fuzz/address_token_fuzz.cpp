// SPDX-License-Identifier: Apache-2.0
// Input: a token as it came in an Initial packet. Besides, the input is laid over tokens that are
// valid: whatever it changes, only what it leaves alone may be accepted.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/crypto/address_token.hpp"

namespace {

using namespace strata::quic;
using namespace strata::quic::core;
using strata::transport::address;
using strata::transport::bytes;

class counting_random final : public strata::transport::random_source {
 public:
  void fill(strata::transport::mutable_bytes out) override {
    for (std::byte& octet : out) octet = static_cast<std::byte>(++count_);
  }

 private:
  unsigned count_ = 0;
};

class standing_clock final : public strata::transport::wall_clock {
 public:
  std::chrono::system_clock::time_point now() override {
    return std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000));
  }
};

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static counting_random random;
  static standing_clock clock;
  static const std::vector<std::byte> key(32, std::byte{1});
  static token_issuer issuer(key, random, clock);
  static const address remote = address::loopback_v4(443);
  static const connection_id id(std::vector<std::byte>(8, std::byte{3}));
  static const std::vector<std::byte> valid[] = {issuer.mint_retry(remote, id, id),
                                                 issuer.mint_new_token(remote)};

  const bytes input(reinterpret_cast<const std::byte*>(data), size);
  bool looks_like_retry = false;
  const auto accepted = issuer.check(input, remote, looks_like_retry);
  for (const auto& token : valid) {
    if (strata::transport::equal_bytes(input, token)) require(accepted.has_value());
    std::vector<std::byte> damaged = token;
    bool changed = false;
    for (std::size_t i = 0; i < damaged.size() && i < size; ++i) {
      damaged[i] ^= input[i];
      changed = changed || input[i] != std::byte{};
    }
    require(issuer.check(damaged, remote, looks_like_retry).has_value() == !changed);
  }
  return 0;
}
