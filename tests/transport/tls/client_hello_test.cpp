// SPDX-License-Identifier: Apache-2.0
// What of a ClientHello can be chosen, read back from the bytes.
#include "hostile/tls/client_hello.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"
#include "tls_pair.hpp"

namespace {

using namespace strata::transport;
using namespace strata::transport::tests;
using strata::hostile::client_hello;
using numbers = std::vector<std::uint16_t>;

client_hello hello_of(const tls_client_options& options, const std::string& name = "server.test") {
  const auto message = make_client_hello(made(make_tls_client_context(options)), name);
  REQUIRE(message.has_value());
  REQUIRE(message->front() == std::byte{1});
  return client_hello(*message);
}

const std::vector<std::byte>* extension(const client_hello& hello, std::uint16_t type) {
  for (const auto& each : hello.extensions)
    if (each.type == type) return &each.content;
  return nullptr;
}

numbers read_numbers(bytes list) {
  buffer_reader reader(list);
  numbers out;
  while (!reader.empty()) out.push_back(reader.u16());
  return out;
}

/// The numbers in an extension that is a list of them, behind its length.
numbers listed(const client_hello& hello, std::uint16_t type) {
  const auto* const content = extension(hello, type);
  REQUIRE(content != nullptr);
  return read_numbers(bytes(*content).subspan(2));
}

numbers key_shares(const client_hello& hello) {
  const auto* const content = extension(hello, 51);
  REQUIRE(content != nullptr);
  buffer_reader reader(bytes(*content).subspan(2));
  numbers out;
  while (!reader.empty()) {
    out.push_back(reader.u16());
    reader.skip(reader.u16());
  }
  REQUIRE(reader.ok());
  return out;
}

std::string error_of(const tls_client_options& options) {
  const auto context = make_tls_client_context(options);
  return context ? "accepted" : context.error().text;
}

}  // namespace

TEST_CASE("client_hello: keys are sent for the groups that were chosen", "[transport][tls]") {
  auto options = trusting_client();
  options.groups = {"P-384", "X25519", "P-256"};
  options.hello.key_shares = {"X25519"};
  CHECK(listed(hello_of(options), 10) == numbers{24, 29, 23});
  CHECK(key_shares(hello_of(options)) == numbers{29});
  options.hello.key_shares = {"P-256", "P-384"};
  CHECK(key_shares(hello_of(options)) == numbers{24, 23});
  options.hello.key_shares = {"P-521"};
  CHECK(error_of(options).find("not among the groups") != std::string::npos);
  for (const char* const bad :
       {"*X25519", "?X25519", "-X25519", "X25519:P-256", "X25519/P-256", ""}) {
    options = trusting_client();
    options.groups = {bad};
    INFO(bad);
    CHECK(error_of(options).find("no name of a group") != std::string::npos);
  }
}

TEST_CASE("client_hello: signature algorithms in the order that was chosen", "[transport][tls]") {
  auto options = trusting_client();
  options.hello.signature_algorithms = {"rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"};
  CHECK(listed(hello_of(options), 13) == numbers{0x0804, 0x0403});
  options.hello.signature_algorithms = {"no_such_algorithm"};
  CHECK(error_of(options).find("no_such_algorithm") != std::string::npos);
}

TEST_CASE("client_hello: like a browser as far as it goes", "[transport][tls]") {
  tls_client_options options = trusting_client();
  choose_like_a_browser(options);
  const auto hello = hello_of(options);
  const numbers suites = read_numbers(hello.cipher_suites);
  CHECK(suites == numbers{0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030,
                          0xc00a, 0xc009, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035});
  CHECK(listed(hello, 10) == numbers{29, 23, 24, 25, 256, 257});
  CHECK(key_shares(hello) == numbers{29, 23});
  CHECK(listed(hello, 13) ==
        numbers{0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601});
  CHECK(extension(hello, 5) != nullptr);
  CHECK(extension(hello, 22) == nullptr);
  CHECK(extension(hello, 16) != nullptr);

  auto server = test_server();
  server.alpn = {"h2"};
  tls_pair pair(made(make_tls_client_context(options)), made(make_tls_server_context(server)));
  REQUIRE(pair.shake_hands());
  CHECK(pair.client.core.security().alpn == "h2");
  CHECK(pair.client.core.security().group == "x25519");
}

TEST_CASE("client_hello: it is split into records as small as was asked", "[transport][tls]") {
  const std::size_t size = GENERATE(1u, 5u, 100u, 1000u, 16'384u);
  auto options = trusting_client();
  options.hello.record_size = size;
  // So that there is a second hello.
  const bool again = GENERATE(false, true);
  auto server = test_server();
  if (again) server.groups = {"P-384"};
  tls_pair pair(made(make_tls_client_context(options)), made(make_tls_server_context(server)));
  unsigned flights = 0;
  pair.edit = [&](bool to_server, std::vector<std::byte>& wire) {
    if (!to_server || ++flights > (again ? 2u : 1u)) return;
    std::size_t total = 0;
    for (const auto& record : records_of(wire)) {
      if (record[0] == std::byte{20}) continue;  // OpenSSL's word to middleboxes.
      CHECK(record[0] == std::byte{22});
      CHECK(record.size() - 5 <= size);
      total += record.size() - 5;
    }
    if (flights == 1) CHECK(records_of(wire).size() == (total + size - 1) / size);
  };
  REQUIRE(pair.shake_hands());
  CHECK(flights >= 2);
}

TEST_CASE("client_hello: records of it have a limit", "[transport][tls]") {
  for (const auto& [size, accepted] : {std::pair{limits::tls_record_size - 1, true},
                                       {limits::tls_record_size, true},
                                       {limits::tls_record_size + 1, false}}) {
    auto options = trusting_client();
    options.hello.record_size = size;
    CHECK(make_tls_client_context(options).has_value() == accepted);
  }
}

TEST_CASE("client_hello: it can be had without a connection", "[transport][tls]") {
  const auto context = made(make_tls_client_context(trusting_client()));
  const auto one = make_client_hello(context, "server.test");
  const auto two = make_client_hello(context, "server.test");
  REQUIRE(one.has_value());
  CHECK(one->size() == two->size());
  CHECK(*one != *two);
  CHECK(make_client_hello(context, "").error().code == errc::invalid_argument);
  const auto server = made(make_tls_server_context(test_server()));
  CHECK(make_client_hello(server, "server.test").error().code == errc::invalid_argument);
}
