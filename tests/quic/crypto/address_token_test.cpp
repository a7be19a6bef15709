// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/address_token.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <vector>

#include "hexadecimal.hpp"
#include "strata/quic/core/limits.hpp"
#include "testkit/fake_random.hpp"

namespace {

using namespace strata::quic;
using namespace strata::quic::core;
using strata::quic::tests::to_hexadecimal;
using strata::transport::address;
using strata::transport::bytes;
using octets = std::vector<std::byte>;
using std::chrono::milliseconds;

struct issuer_of_tests {
  strata::testkit::fake_random random{1};
  strata::testkit::fake_wall_clock clock;
  octets key = octets(32, std::byte{7});
  token_issuer issuer{key, random, clock};
  address remote = address::loopback_v4(4433);
  connection_id original{octets(8, std::byte{0xaa})};
  connection_id source{octets(18, std::byte{0xbb})};

  octets retry() { return issuer.mint_retry(remote, original, source); }
  octets new_token() { return issuer.mint_new_token(remote); }
  bool accepts(bytes token, const address& from) {
    bool looks_like_retry = false;
    return issuer.check(token, from, looks_like_retry).has_value();
  }
  bool accepts(bytes token) { return accepts(token, remote); }
};

}  // namespace

TEST_CASE("token_issuer: a Retry token brings back both connection IDs", "[quic][crypto]") {
  issuer_of_tests t;
  for (const auto& remote :
       {t.remote, address::loopback_v6(1), *address::parse("[2001:db8::1]:65535")}) {
    for (const std::size_t size : {0u, 1u, 8u, 19u, 20u}) {
      const connection_id original(octets(size, std::byte{1}));
      const connection_id source(octets(20 - size, std::byte{2}));
      const octets token = t.issuer.mint_retry(remote, original, source);
      CHECK(token.size() <= limits::max_token_size);
      bool looks_like_retry = false;
      const auto checked = t.issuer.check(token, remote, looks_like_retry);
      REQUIRE(checked.has_value());
      CHECK(looks_like_retry);
      CHECK(checked->kind == address_token::purpose::retry);
      CHECK(checked->original_destination == original);
      CHECK(checked->retry_source == source);
    }
  }
}

//= RFC 9000 section 8.1.1
//= type=test
//# A token sent in a NEW_TOKEN frame or a Retry packet MUST be constructed in a
//# way that allows the server to identify how it was provided to a client.
TEST_CASE("token_issuer: a NEW_TOKEN token is told from a Retry token", "[quic][crypto]") {
  issuer_of_tests t;
  bool looks_like_retry = true;
  const auto checked = t.issuer.check(t.new_token(), t.remote, looks_like_retry);
  REQUIRE(checked.has_value());
  CHECK_FALSE(looks_like_retry);
  CHECK(checked->kind == address_token::purpose::new_token);
  CHECK(checked->original_destination.empty());
}

//= RFC 9000 section 8.1.4
//# Tokens sent in NEW_TOKEN frames MUST include information that allows the server to verify that
//# the client IP address has not changed from when the token was issued.
TEST_CASE("token_issuer: Retry tokens are for an address and port, NEW_TOKEN's for the address",
          "[quic][crypto]") {
  issuer_of_tests t;
  const octets retry = t.retry();
  const octets later = t.new_token();
  const address other_port = t.remote.with_port(4434);
  const address other_ip = *address::parse("127.0.0.2:4433");
  const address other_family = address::loopback_v6(4433);
  CHECK_FALSE(t.accepts(retry, other_port));
  CHECK(t.accepts(later, other_port));
  for (const auto& other : {other_ip, other_family, address()}) {
    CHECK_FALSE(t.accepts(retry, other));
    CHECK_FALSE(t.accepts(later, other));
  }
  bool looks_like_retry = false;
  CHECK_FALSE(t.issuer.check(retry, other_port, looks_like_retry).has_value());
  CHECK(looks_like_retry);
  CHECK_FALSE(t.issuer.check(later, other_ip, looks_like_retry).has_value());
  CHECK_FALSE(looks_like_retry);
}

//= RFC 9000 section 8.1.4
//# servers MUST ensure that replay of tokens is prevented or limited
TEST_CASE("token_issuer: tokens live as long as the limits say, to the millisecond",
          "[quic][crypto]") {
  issuer_of_tests t;
  const auto start = t.clock.value;
  const octets retry = t.retry();
  const octets later = t.new_token();
  const auto accepted_after = [&](const octets& token, milliseconds age) {
    t.clock.value = start + age;
    return t.accepts(token);
  };
  for (const auto& [token, lifetime] :
       {std::pair{retry, milliseconds(limits::retry_token_lifetime)},
        std::pair{later, milliseconds(limits::new_token_lifetime)}}) {
    CHECK(accepted_after(token, milliseconds(0)));
    CHECK(accepted_after(token, lifetime - milliseconds(1)));
    CHECK(accepted_after(token, lifetime));
    CHECK_FALSE(accepted_after(token, lifetime + milliseconds(1)));
    // A clock that is behind, by little and by much.
    CHECK(accepted_after(token, -milliseconds(limits::retry_token_lifetime)));
    CHECK_FALSE(
        accepted_after(token, -milliseconds(limits::retry_token_lifetime) - milliseconds(1)));
  }
  t.clock.value = start + std::chrono::hours(1);
  bool looks_like_retry = false;
  CHECK_FALSE(t.issuer.check(retry, t.remote, looks_like_retry).has_value());
  CHECK(looks_like_retry);
}

//= RFC 9000 section 8.1.4
//# the token MUST be covered by integrity protection against modification or falsification by
//# clients
TEST_CASE("token_issuer: Q21 every flipped bit and every other length is refused",
          "[quic][crypto][attack][Q21]") {
  issuer_of_tests t;
  for (const octets& token : {t.retry(), t.new_token()}) {
    for (std::size_t bit = 0; bit < token.size() * 8; ++bit) {
      octets damaged = token;
      damaged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
      REQUIRE_FALSE(t.accepts(damaged));
    }
    for (std::size_t size = 0; size <= 300; ++size) {
      octets other = token;
      other.resize(size);
      REQUIRE(t.accepts(other) == (size == token.size()));
    }
  }
}

//= RFC 9000 section 8.1.4
//# An address validation token MUST be difficult to guess.
TEST_CASE("token_issuer: Q21 random tokens of every length are refused",
          "[quic][crypto][attack][Q21]") {
  issuer_of_tests t;
  const std::byte marks[] = {t.retry()[0], t.new_token()[0]};
  for (std::size_t size = 0; size <= 300; ++size) {
    octets garbage(size);
    t.random.fill(garbage);
    REQUIRE_FALSE(t.accepts(garbage));
    for (const std::byte mark : marks) {
      if (size != 0) garbage[0] = mark;
      REQUIRE_FALSE(t.accepts(garbage));
    }
  }
}

//= RFC 9000 section 8.1.3
//# A token issued with NEW_TOKEN MUST NOT include information that would allow values to be linked
//# by an observer to the connection on which it was issued.
//= RFC 9000 section 8.1.3
//# A server MUST ensure that every NEW_TOKEN frame it sends is unique across all clients
TEST_CASE("token_issuer: tokens hide what they say, and no two are alike", "[quic][crypto]") {
  issuer_of_tests t;
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(to_hexadecimal(t.new_token()));
  CHECK(seen.size() == 100);
  const std::string token = to_hexadecimal(t.retry());
  CHECK(token.find(to_hexadecimal(t.original.bytes())) == std::string::npos);
  CHECK(token.find(to_hexadecimal(t.remote.octets())) == std::string::npos);
}

TEST_CASE("token_issuer: servers that share a key accept each other's tokens, others do not",
          "[quic][crypto]") {
  issuer_of_tests t;
  strata::testkit::fake_random random(99);
  token_issuer same(t.key, random, t.clock);
  token_issuer stranger(octets(32, std::byte{8}), random, t.clock);
  token_issuer drawn({}, random, t.clock);
  token_issuer drawn_again({}, random, t.clock);
  const octets token = t.retry();
  bool looks_like_retry = false;
  CHECK(same.check(token, t.remote, looks_like_retry).has_value());
  CHECK_FALSE(stranger.check(token, t.remote, looks_like_retry).has_value());
  CHECK(drawn.check(drawn.mint_new_token(t.remote), t.remote, looks_like_retry).has_value());
  CHECK_FALSE(
      drawn_again.check(drawn.mint_new_token(t.remote), t.remote, looks_like_retry).has_value());

  CHECK(same.reset_token(t.source) == t.issuer.reset_token(t.source));
  CHECK(stranger.reset_token(t.source) != t.issuer.reset_token(t.source));
  CHECK(drawn.reset_token(t.source) != drawn_again.reset_token(t.source));
}

//= RFC 9000 section 10.3.2
//# The stateless reset token MUST be difficult to guess.
//= RFC 9000 section 10.3.2
//# The same stateless reset token MUST NOT be used for multiple connection IDs.
TEST_CASE("token_issuer: every connection ID has its own reset token", "[quic][crypto]") {
  issuer_of_tests t;
  std::set<stateless_reset_token> seen;
  for (std::size_t size = 0; size <= connection_id::max_size; ++size) {
    seen.insert(t.issuer.reset_token(connection_id(octets(size))));
    if (size != 0) seen.insert(t.issuer.reset_token(connection_id(octets(size, std::byte{1}))));
  }
  CHECK(seen.size() == 2 * connection_id::max_size + 1);
}
