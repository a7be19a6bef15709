// SPDX-License-Identifier: Apache-2.0
// Peers that mean harm, against the byte stream.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "strata/transport/core/error.hpp"
#include "tls_pair.hpp"

namespace {

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::chrono_literals;
using event = tls_connection::event;

constexpr std::uint8_t unexpected_message = 10;

struct pair_of_defaults : tls_pair {
  explicit pair_of_defaults(tls_pair_options options = {})
      : tls_pair(made(make_tls_client_context(trusting_client())),
                 made(make_tls_server_context(test_server())), std::move(options)) {}
};

/// Each record of a flight as many records of at most `size` bytes.
std::vector<std::byte> in_fragments(bytes wire, std::size_t size) {
  std::vector<std::byte> out;
  for (const auto& record : records_of(wire)) {
    for (bytes rest = bytes(record).subspan(5); !rest.empty();) {
      const bytes part = rest.first(std::min(size, rest.size()));
      out.insert(out.end(), record.begin(), record.begin() + 3);
      out.push_back(static_cast<std::byte>(part.size() >> 8));
      out.push_back(static_cast<std::byte>(part.size()));
      out.insert(out.end(), part.begin(), part.end());
      rest = rest.subspan(part.size());
    }
  }
  return out;
}

std::vector<std::byte> record(std::initializer_list<unsigned> octets) {
  std::vector<std::byte> out;
  for (const unsigned each : octets) out.push_back(static_cast<std::byte>(each));
  return out;
}

/// What a server says to a stranger's first bytes.
struct stranger {
  explicit stranger(bytes input) : end(context(), {}, pages) {
    REQUIRE(end.core.begin(now).has_value());
    end.core.receive(now, input);
    end.core.release_input();
    end.drain();
  }
  static const tls_context& context() {
    static const tls_context made_once = made(make_tls_server_context(test_server()));
    return made_once;
  }
  std::error_code code() const {
    return end.core.failure() == nullptr ? std::error_code() : end.core.failure()->code;
  }

  page_store pages;
  time_point now{1h};
  tls_end end;
};

}  // namespace

TEST_CASE("tls_attacks: key updates without data are counted", "[transport][tls][attack][T07]") {
  for (const unsigned count : {limits::tls_control_records - 1, limits::tls_control_records,
                               limits::tls_control_records + 1}) {
    const bool in_one_piece = GENERATE(true, false);
    pair_of_defaults pair;
    REQUIRE(pair.shake_hands());
    for (unsigned i = 0; i < count; ++i) {
      REQUIRE(pair.client.core.update_keys(true).has_value());
      if (!in_one_piece) pair.carry(pair.client, pair.server);
    }
    pair.run();
    const bool over = count > limits::tls_control_records;
    CHECK((pair.server.core.failure() != nullptr) == over);
    if (over) CHECK(pair.server.core.failure()->code == errc::protocol_error);
    CHECK(pair.server.write("answer") == (over ? 0 : 6));
  }
}

TEST_CASE("tls_attacks: a flood in one piece is stopped in its middle",
          "[transport][tls][attack][T07]") {
  pair_of_defaults pair;
  REQUIRE(pair.shake_hands());
  for (int i = 0; i < 2000; ++i) REQUIRE(pair.client.core.update_keys(true).has_value());
  pair.carry(pair.client, pair.server);
  REQUIRE(pair.server.core.failure() != nullptr);
  // Each was answered until then.
  CHECK(records_of(take_output(pair.server.core, pair.now)).size() <=
        limits::tls_control_records + 1);
}

TEST_CASE("tls_attacks: key updates between data, or seldom, are fine",
          "[transport][tls][attack][T07]") {
  pair_of_defaults pair;
  REQUIRE(pair.shake_hands());
  const bool with_data = GENERATE(true, false);
  for (unsigned i = 0; i < 3 * limits::tls_control_records; ++i) {
    REQUIRE(pair.client.core.update_keys(false).has_value());
    if (with_data) {
      REQUIRE(pair.client.write("x") == 1);
    } else {
      pair.now += duration(limits::tls_control_window) / 100;
    }
    pair.carry(pair.client, pair.server);
  }
  CHECK(pair.server.core.failure() == nullptr);
}

TEST_CASE("tls_attacks: key updates whose answers nobody takes", "[transport][tls][attack][T07]") {
  pair_of_defaults pair;
  REQUIRE(pair.shake_hands());
  std::size_t rounds = 0;
  for (; rounds < 100'000 && pair.server.core.wants_input(); ++rounds) {
    REQUIRE(pair.client.core.update_keys(true).has_value());
    REQUIRE(pair.client.write("x") == 1);
    pair.carry(pair.client, pair.server);
  }
  CHECK(rounds < 20'000);
  CHECK(pair.server.core.failure() == nullptr);
  // It goes on once they are taken.
  pair.carry(pair.server, pair.client);
  CHECK(pair.server.core.wants_input());
  CHECK(pair.server.received == std::string(rounds, 'x'));
}

TEST_CASE("tls_attacks: a message that goes on under the next key is refused",
          "[transport][tls][attack][T08]") {
  pair_of_defaults pair;
  pair.carry(pair.client, pair.server);
  pair.edit = [](bool, std::vector<std::byte>& wire) {
    // The ServerHello's record gets the beginning of one more message.
    auto records = records_of(wire);
    std::vector<std::byte>& hello = records.front();
    for (const unsigned octet : {8u, 0u, 0u, 2u}) hello.push_back(static_cast<std::byte>(octet));
    const std::size_t length = hello.size() - 5;
    hello[3] = static_cast<std::byte>(length >> 8);
    hello[4] = static_cast<std::byte>(length);
    wire.clear();
    for (const auto& each : records) wire.insert(wire.end(), each.begin(), each.end());
  };
  pair.carry(pair.server, pair.client);
  REQUIRE(pair.client.core.failure() != nullptr);
  CHECK(pair.client.core.failure()->alert_sent == unexpected_message);
}

TEST_CASE("tls_attacks: a chain of a hundred certificates", "[transport][tls][attack][T10]") {
  const auto& certificates = strata::testkit::test_certificates::shared();
  const auto filler =
      certificates.authority.issue({.names = {"filler.test"}, .padding = 4000}).certificate_pem;
  auto credential = certificates.server.credential();
  for (int i = 0; i < 100; ++i) credential.certificate_chain.text += filler;
  auto server = test_server();
  server.credentials = {credential};
  tls_pair pair(made(make_tls_client_context(trusting_client())),
                made(make_tls_server_context(server)));
  CHECK_FALSE(pair.shake_hands());
  REQUIRE(pair.client.core.failure() != nullptr);
  CHECK(pair.client.core.failure()->code == errc::tls_failed);
  CHECK(pair.client.core.failure()->text.find("excessive message size") != std::string::npos);
}

TEST_CASE("tls_attacks: certificates up to a limit", "[transport][tls][attack][T10]") {
  const auto& authority = strata::testkit::test_certificates::shared().authority;
  // Around the certificate: context, length of the list, length of the one, extensions
  // (RFC 8446 section 4.4.2).
  constexpr std::size_t around = 1 + 3 + 3 + 2;
  for (const std::size_t size : {limits::tls_certificate_bytes - 1, limits::tls_certificate_bytes,
                                 limits::tls_certificate_bytes + 1}) {
    // A signature's length varies by some bytes.
    strata::testkit::test_certificate large;
    std::size_t padding = 90'000;
    do {
      large = authority.issue({.names = {"server.test"}, .padding = padding});
      padding += size - (large.der.size() + around);
    } while (large.der.size() + around != size);
    auto server = test_server();
    server.credentials = {large.credential()};
    tls_pair pair(made(make_tls_client_context(trusting_client())),
                  made(make_tls_server_context(server)));
    CHECK(pair.shake_hands() == (size <= limits::tls_certificate_bytes));
  }
}

TEST_CASE("tls_attacks: close_notify in the handshake ends it", "[transport][tls][attack][T11]") {
  std::vector<std::byte> flood;
  const auto close_notify = record({21, 3, 3, 0, 2, 1, 0});
  for (int i = 0; i < 1000; ++i)
    flood.insert(flood.end(), close_notify.begin(), close_notify.end());
  stranger to_server(flood);
  CHECK(to_server.code());
  take_output(to_server.end.core, to_server.now);
  CHECK(to_server.end.core.finished());

  pair_of_defaults pair;
  pair.carry(pair.client, pair.server);
  pair.edit = [&](bool, std::vector<std::byte>& wire) { wire = flood; };
  pair.carry(pair.server, pair.client);
  REQUIRE(pair.client.core.failure() != nullptr);
  CHECK(pair.client.count(event::failed) == 1);
}

TEST_CASE("tls_attacks: a ClientHello in fragments of any size works",
          "[transport][tls][attack][T12]") {
  const std::size_t size = GENERATE(1u, 2u, 37u, 1000u);
  pair_of_defaults pair;
  pair.edit = [&](bool to_server, std::vector<std::byte>& wire) {
    if (to_server) wire = in_fragments(wire, size);
    pair.edit = nullptr;
  };
  CHECK(pair.shake_hands());
}

TEST_CASE("tls_attacks: suites that are not ours are not agreed on",
          "[transport][tls][attack][T16]") {
  auto client = trusting_client();
  client.cipher_suites = {"TLS_CHACHA20_POLY1305_SHA256"};
  auto server = test_server();
  server.cipher_suites = {"TLS_AES_256_GCM_SHA384"};
  tls_pair pair(made(make_tls_client_context(client)), made(make_tls_server_context(server)));
  CHECK_FALSE(pair.shake_hands());
  CHECK(pair.client.core.failure()->alert_received == 40);
  client.cipher_suites = {"TLS_AES_128_CCM_SHA256"};
  CHECK_FALSE(make_tls_client_context(client).has_value());
  client = trusting_client();
  client.tls12_ciphers = {"ECDHE-RSA-AES128-GCM-SHA256", "NULL-MD5"};
  CHECK_FALSE(make_tls_client_context(client).has_value());
}

TEST_CASE("tls_attacks: a server that picks a suite nobody offered",
          "[transport][tls][attack][T16]") {
  pair_of_defaults pair;
  pair.carry(pair.client, pair.server);
  pair.edit = [](bool, std::vector<std::byte>& wire) {
    // Behind record and message header, version, random and the session ID of 32 bytes.
    constexpr std::size_t suite = 5 + 4 + 2 + 32 + 1 + 32;
    wire[suite] = std::byte{0x13};
    wire[suite + 1] = std::byte{0x05};
  };
  pair.carry(pair.server, pair.client);
  REQUIRE(pair.client.core.failure() != nullptr);
  CHECK(pair.client.core.failure()->alert_sent == 47);
}

TEST_CASE("tls_attacks: what is no TLS is refused at once", "[transport][tls]") {
  CHECK(stranger(as_bytes("GET / HTTP/1.1\r\n\r\n")).code() == errc::tls_failed);
  CHECK(stranger(as_bytes("SSH-2.0-x\r\n")).code() == errc::tls_failed);
  // A record longer than any may be.
  CHECK(stranger(record({22, 3, 1, 0xff, 0xff, 1})).code() == errc::tls_failed);
  CHECK(stranger(record({22, 3, 1, 0x48, 0x01, 1})).code() == errc::tls_failed);
  // SSL 2.
  CHECK(stranger(record({0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 7, 0})).code() ==
        errc::tls_failed);
  // Application bytes before any hello.
  CHECK(stranger(record({23, 3, 3, 0, 1, 0})).code() == errc::tls_failed);
  // A message of 16 MiB.
  CHECK(stranger(record({22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff})).code() == errc::tls_failed);
}

TEST_CASE("tls_attacks: half of a record costs no more than its bytes, and time",
          "[transport][tls]") {
  stranger half(record({22, 3, 1, 0x40, 0x00, 1}));
  CHECK_FALSE(half.code());
  CHECK(half.end.core.next_timeout().has_value());
  CHECK(half.end.core.wants_input());
  half.end.core.handle_timeout(half.now + limits::tls_handshake_timeout);
  CHECK(half.code() == errc::timed_out);
}

TEST_CASE("tls_attacks: a renegotiation of TLS 1.2 is turned down", "[transport][tls]") {
  auto options = trusting_client();
  options.maximum_version = options.minimum_version = tls_version::tls12;
  auto server_options = test_server();
  server_options.minimum_version = tls_version::tls12;
  const auto client = made(make_tls_client_context(options));
  page_store pages;
  const time_point now(1h);
  tls_end server(made(make_tls_server_context(server_options)), {}, pages);
  REQUIRE(server.core.begin(now).has_value());

  const std::unique_ptr<SSL, decltype(&SSL_free)> raw(
      SSL_new(static_cast<SSL_CTX*>(client.native_context())), SSL_free);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(raw.get(), in, out);
  SSL_set_connect_state(raw.get());
  SSL_clear_options(raw.get(), SSL_OP_NO_RENEGOTIATION);
  REQUIRE(client.prepare_client(raw.get(), "server.test"));
  const auto turn = [&] {
    SSL_do_handshake(raw.get());
    char* wire = nullptr;
    const long size = BIO_get_mem_data(out, &wire);
    const std::vector<std::byte> said(reinterpret_cast<std::byte*>(wire),
                                      reinterpret_cast<std::byte*>(wire) + size);
    BIO_reset(out);
    server.core.receive(now, said);
    server.core.release_input();
    server.drain();
    const auto answer = take_output(server.core, now);
    BIO_write(in, answer.data(), static_cast<int>(answer.size()));
  };
  for (int i = 0; i < 3; ++i) turn();
  REQUIRE(server.core.is_ready());
  REQUIRE(SSL_renegotiate(raw.get()) == 1);
  turn();
  CHECK(server.core.failure() == nullptr);
  CHECK(server.core.security().protocol == "TLSv1.2");
  CHECK(server.count(event::ready) == 1);
  // Whoever asked for it does not want to go on without.
  turn();
  REQUIRE(server.core.failure() != nullptr);
  CHECK(server.core.failure()->alert_received == 40);
  ERR_clear_error();
}
