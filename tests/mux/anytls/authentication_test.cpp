// SPDX-License-Identifier: Apache-2.0
#include "core/anytls/authentication.hpp"

#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using strata::transport::errc;
using stage = anytls::authentication::stage;

namespace {

stage receive(anytls::authentication& into, byte_vector input, std::size_t* left = nullptr) {
  static const anytls_users users = some_users();
  bytes rest = input;
  const stage reached = into.receive(users, rest);
  if (left != nullptr) *left = rest.size();
  return reached;
}

}  // namespace

TEST_CASE("authentication: SHA-256 of the password, the size of the padding, zeros",
          "[mux][anytls]") {
  const byte_vector made = authentication_of("abc", 0x0102);
  CHECK(text_of(bytes(made).first(4)) == "\xba\x78\x16\xbf");  // FIPS 180, its first example.
  CHECK(text_of(bytes(made).subspan(32, 2)) == "\x01\x02");
  CHECK(made.size() == 34 + 0x0102);
}

TEST_CASE("authentication: in pieces of every size, and not a byte more is taken",
          "[mux][anytls]") {
  const anytls_users users = some_users();
  const byte_vector whole = authentication_of(password, 30);
  for (std::size_t piece = 1; piece <= whole.size() + 5; ++piece) {
    anytls::authentication server;
    byte_vector input = whole + octets("behind");
    std::size_t taken = 0;
    while (server.reached() != stage::accepted) {
      const std::size_t size = std::min(piece, input.size() - taken);
      bytes rest = bytes(input).subspan(taken, size);
      server.receive(users, rest);
      taken += size - rest.size();
    }
    CHECK(taken == whole.size());
    CHECK(server.user() == "bob");
  }
}

TEST_CASE("authentication: without padding it is over at once", "[mux][anytls]") {
  anytls::authentication server;
  std::size_t left = 0;
  CHECK(receive(server, authentication_of(password, 0) + octets("x"), &left) == stage::accepted);
  CHECK(left == 1);
}

TEST_CASE("authentication: each user by name, and nobody else", "[mux][anytls]") {
  for (const auto& [text, name] : {std::pair{"other", "ann"}, {"third", "cid"}}) {
    anytls::authentication server;
    CHECK(receive(server, authentication_of(text)) == stage::accepted);
    CHECK(server.user() == name);
  }
  for (std::size_t bit = 0; bit < 256; ++bit) {
    byte_vector wrong = authentication_of(password);
    wrong[bit / 8] ^= std::byte{1} << (bit % 8);
    anytls::authentication server;
    CHECK(receive(server, wrong) == stage::rejected);
    CHECK_FALSE(server.user());
  }
}

TEST_CASE("authentication: what was taken of a wrong one is there", "[mux][anytls]") {
  anytls::authentication server;
  const byte_vector wrong = authentication_of("wrong", 5);
  std::size_t left = 0;
  CHECK(receive(server, byte_vector(wrong.begin(), wrong.begin() + 20)) == stage::reading);
  CHECK(receive(server, byte_vector(wrong.begin() + 20, wrong.end()), &left) == stage::rejected);
  CHECK(text_of(server.taken()) + std::string(left, '\0') ==
        text_of(bytes(wrong).first(32)) + std::string(left, '\0'));
  CHECK(left == 34 + 5 - 32);
}

TEST_CASE("authentication: a request in text shorter than a password needs no deadline",
          "[mux][anytls]") {
  const auto rejects = [](std::string_view text) {
    anytls::authentication server;
    const bool at_once = receive(server, octets(text)) == stage::rejected;
    if (at_once) CHECK(text_of(server.taken()) == text);
    return at_once;
  };
  CHECK(rejects("GET / HTTP/1.0\r\n\r\n"));
  CHECK(rejects("\r\n\r\n"));
  CHECK(rejects("x\n\n"));
  CHECK_FALSE(rejects("GET / HTTP/1.0\r\n"));
  CHECK_FALSE(rejects("\x80\r\n\r\n"));
  CHECK_FALSE(rejects(std::string_view("\0\r\n\r\n", 5)));
}

TEST_CASE("authentication: giving up", "[mux][anytls]") {
  anytls::authentication unfinished;
  receive(unfinished, authentication_of(password, 9), nullptr);
  CHECK(unfinished.reached() == stage::accepted);
  unfinished.give_up();
  CHECK(unfinished.reached() == stage::accepted);

  anytls::authentication silent;
  silent.give_up();
  CHECK(silent.reached() == stage::rejected);
}

TEST_CASE("users: empty passwords, and one password for two, are refused", "[mux][anytls]") {
  const std::array<anytls_user, 2> twice{{{"a", "x"}, {"b", "x"}}};
  CHECK(anytls_users::make(twice).error() == errc::invalid_argument);
  const std::array<anytls_user, 1> empty{{{"a", ""}}};
  CHECK(anytls_users::make(empty).error() == errc::invalid_argument);
  CHECK(anytls_users::make({}).value().size() == 0);
  CHECK(anytls_users().size() == 0);
  CHECK_FALSE(anytls_users().find({}));
  CHECK(some_users().size() == 3);
}
