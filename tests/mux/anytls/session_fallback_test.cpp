// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

namespace {

std::string take_rejected(session_end& server, std::size_t most = SIZE_MAX) {
  std::string all;
  while (!server.session.control().rejected().empty()) {
    const bytes piece = server.session.control().rejected();
    all += text_of(piece.first(std::min(most, piece.size())));
    server.session.control().consume_rejected(std::min(most, piece.size()));
  }
  return all;
}

byte_vector front_of(const byte_vector& whole, std::ptrdiff_t size) {
  return {whole.begin(), whole.begin() + size};
}

session_end falling_back(anytls_config config = {}) {
  config.fallback = true;
  return session_end(server_config(config));
}

}  // namespace

TEST_CASE("fallback: every byte that came is handed over, in pieces of any size",
          "[mux][anytls][fallback]") {
  const std::string request =
      "GET /a/very/long/path/that/is/longer/than/a/password HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= request.size(); ++piece) {
    session_end server = falling_back();
    std::size_t sent = 0;
    while (server.session.wants_input() && sent < request.size()) {
      const std::size_t size = std::min(piece, request.size() - sent);
      server.receive(octets(request.substr(sent, size)));
      sent += size;
    }
    CHECK(server.take(kind::fallback) == 1);
    CHECK(take_rejected(server, piece) == request.substr(0, sent));
    CHECK(server.has_no_events());
    CHECK_FALSE(server.session.finished());
    CHECK_FALSE(server.session.wants_input());
    CHECK_FALSE(server.session.next_timeout());
    CHECK(server.write_once().empty());
    CHECK(server.cause() == mux::errc::authentication_failed);
  }
}

TEST_CASE("fallback: what came with a wrong password is handed over, a megabyte too",
          "[mux][anytls][fallback]") {
  session_end server = falling_back();
  const byte_vector input =
      authentication_of("wrong", 7) + octets(std::string(1'000'000, 'x')) + octets("end");
  server.receive(input);
  CHECK(take_rejected(server) == text_of(input));
}

TEST_CASE("fallback: a short request, and one that ends early, need no deadline",
          "[mux][anytls][fallback]") {
  session_end whole = falling_back();
  whole.receive(octets("GET / HTTP/1.0\r\n\r\n"));
  CHECK(whole.take(kind::fallback) == 1);
  CHECK(take_rejected(whole) == "GET / HTTP/1.0\r\n\r\n");

  session_end ended = falling_back();
  ended.receive(octets("GET"));
  CHECK(ended.take(kind::fallback) == 0);
  ended.session.receive_end(ended.now);
  CHECK(ended.take(kind::fallback) == 1);
  CHECK(take_rejected(ended) == "GET");

  session_end nothing = falling_back();
  nothing.session.receive_end(nothing.now);
  CHECK(nothing.take(kind::fallback) == 0);
  CHECK(nothing.take(kind::closed) == 1);
}

TEST_CASE("fallback: who is silent is handed over when the time for authentication is over",
          "[mux][anytls][fallback]") {
  session_end server = falling_back();
  server.receive(octets("half"));
  server.pass(limit::authentication_timeout - 1ms);
  CHECK(server.take(kind::fallback) == 0);
  server.pass(1ms);
  CHECK(server.take(kind::fallback) == 1);
  CHECK(take_rejected(server) == "half");
}

TEST_CASE("fallback: a user whose padding does not come is no stranger",
          "[mux][anytls][fallback]") {
  session_end server = falling_back();
  const byte_vector whole = authentication_of(password, 30);
  server.receive(byte_vector(whole.begin(), whole.begin() + 40));
  server.pass(limit::authentication_timeout);
  CHECK(server.take(kind::fallback) == 0);
  CHECK(server.take(kind::closed) == 1);
  CHECK(server.session.finished());
}

TEST_CASE("fallback: the owner may do without", "[mux][anytls][fallback]") {
  session_end server = falling_back();
  server.receive(authentication_of("wrong"));
  server.session.control().close(server.now);
  CHECK(server.session.finished());
}

TEST_CASE("fallback: without one, everything that fails looks alike", "[mux][anytls][fallback]") {
  for (const byte_vector& input :
       {authentication_of("wrong"), authentication_of("wrong", 0) + settings_of("2"),
        octets("GET / HTTP/1.0\r\n\r\n"), octets(std::string(100'000, '\xff')), octets("x"),
        front_of(authentication_of(password, 60'000), 60)}) {
    session_end server(server_config());
    server.receive(input);
    CHECK(server.session.wants_input());
    CHECK(server.write_once().empty());
    server.receive(octets("more"));
    server.pass(limit::authentication_timeout - 1ms);
    CHECK(server.closed() == nullptr);
    CHECK(server.has_no_events());
    server.pass(1ms);
    CHECK(server.cause() == mux::errc::authentication_failed);
    CHECK(server.partial.empty());
    CHECK(server.session.finished());
    CHECK(server.session.control().rejected().empty());
  }
}
