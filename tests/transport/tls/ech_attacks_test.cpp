// SPDX-License-Identifier: Apache-2.0
// Encrypted Client Hello among people who mean harm: what leaks, and what is sent to confuse.
#include <openssl/hpke.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <set>

#include "ech_world.hpp"
#include "hostile/tls/client_hello.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tls_session_store.hpp"

namespace {

using namespace strata::transport;
using namespace strata::transport::tests;
using strata::hostile::client_hello;
using octet_string = std::vector<std::byte>;

constexpr std::uint16_t server_name_type = 0;
constexpr std::uint16_t supported_groups_type = 10;
constexpr std::uint16_t signature_algorithms_type = 13;
constexpr std::uint16_t pre_shared_key_type = 41;
constexpr std::uint16_t early_data_type = 42;
constexpr std::uint16_t cookie_type = 44;
constexpr std::uint16_t key_share_type = 51;
constexpr std::uint16_t ech_type = 0xfe0d;
constexpr std::uint16_t outer_extensions_type = 0xfd00;
constexpr std::uint8_t illegal_parameter = 47;

const ech_world& world() { return ech_world::shared(); }

/// The ClientHello that a flight begins with, header included.
octet_string hello_in(bytes wire) {
  octet_string message;
  for (const auto& record : records_of(wire)) {
    if (record.size() < 5 || record[0] != std::byte{22}) continue;
    message.insert(message.end(), record.begin() + 5, record.end());
  }
  const std::size_t size = std::to_integer<std::size_t>(message.at(1)) << 16 |
                           std::to_integer<std::size_t>(message.at(2)) << 8 |
                           std::to_integer<std::size_t>(message.at(3));
  message.resize(4 + size);
  return message;
}

octet_string as_record(bytes message) {
  octet_string out = {std::byte{22}, std::byte{3}, std::byte{1},
                      static_cast<std::byte>(message.size() >> 8),
                      static_cast<std::byte>(message.size())};
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

const octet_string* extension(const client_hello& hello, std::uint16_t type) {
  for (const auto& each : hello.extensions)
    if (each.type == type) return &each.content;
  return nullptr;
}

/// The encrypted part of an ECH extension.
bytes payload_of(const octet_string& content) {
  buffer_reader reader(content);
  reader.skip(1 + 4 + 1);
  reader.skip(reader.u16());
  const bytes payload = reader.take(reader.u16());
  REQUIRE(reader.ok());
  return payload;
}

client_hello first_hello(const tls_client_options& options, const std::string& name = hidden_name) {
  page_store pages;
  tls_connection core(made(make_tls_client_context(options)), {.server_name = name}, pages);
  REQUIRE(core.begin(time_point()).has_value());
  return client_hello(hello_in(take_output(core, time_point())));
}

/// Builds an encrypted hello from a genuine one, with any inner hello inside.
class forger {
 public:
  forger() : hello_(first_hello(ech_client(world().key))) {}

  /// The inner hello refers to these extensions of the outer one.
  std::uint8_t alert_for(const std::vector<std::uint16_t>& references,
                         const octet_string& padding = {}) {
    client_hello inner = hello_;
    inner.session_id.clear();
    std::erase_if(inner.extensions, [&](const client_hello::extension& each) {
      return std::find(references.begin(), references.end(), each.type) != references.end();
    });
    inner.replace(server_name_type, name_list(hidden_name));
    inner.replace(ech_type, {std::byte{1}});
    client_hello::extension outer{.type = outer_extensions_type, .content = {}};
    outer.content.push_back(static_cast<std::byte>(references.size() * 2));
    for (const std::uint16_t each : references) {
      outer.content.push_back(static_cast<std::byte>(each >> 8));
      outer.content.push_back(static_cast<std::byte>(each));
    }
    inner.extensions.insert(inner.extensions.begin(), outer);
    const octet_string message = inner.message();
    octet_string encoded(message.begin() + 4, message.end());
    encoded.insert(encoded.end(), padding.begin(), padding.end());
    return send(encrypted(encoded));
  }

 private:
  static octet_string name_list(std::string_view name) {
    octet_string out(5);
    out[1] = static_cast<std::byte>(name.size() + 3);
    out[4] = static_cast<std::byte>(name.size());
    const bytes view = as_bytes(name);
    out.insert(out.end(), view.begin(), view.end());
    return out;
  }

  client_hello encrypted(const octet_string& encoded) const {
    const ech_config config = parse_ech_config_list(world().key.config_list).value().front();
    const OSSL_HPKE_SUITE suite = {config.kem, config.cipher_suites[0].kdf,
                                   config.cipher_suites[0].aead};
    OSSL_HPKE_CTX* const hpke =
        OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, suite, OSSL_HPKE_ROLE_SENDER, nullptr, nullptr);
    REQUIRE(hpke != nullptr);
    octet_string about(8);
    copy_bytes(about.data(), as_bytes("tls ech"));
    about.insert(about.end(), config.encoded.begin(), config.encoded.end());
    octet_string key(32);
    std::size_t key_size = key.size();
    REQUIRE(OSSL_HPKE_encap(hpke, raw(key), &key_size, raw(config.public_key),
                            config.public_key.size(), raw(about), about.size()) == 1);
    const auto content = [&](const octet_string& payload) {
      octet_string out = {std::byte{0}, std::byte{0}, std::byte{1},
                          std::byte{0}, std::byte{1}, static_cast<std::byte>(config.config_id),
                          std::byte{0}, std::byte{32}};
      out.insert(out.end(), key.begin(), key.end());
      out.push_back(static_cast<std::byte>(payload.size() >> 8));
      out.push_back(static_cast<std::byte>(payload.size()));
      out.insert(out.end(), payload.begin(), payload.end());
      return out;
    };
    client_hello outer = hello_;
    octet_string payload(encoded.size() + 16);
    outer.replace(ech_type, content(payload));
    const octet_string associated = outer.message();
    std::size_t size = payload.size();
    REQUIRE(OSSL_HPKE_seal(hpke, raw(payload), &size, raw(associated) + 4, associated.size() - 4,
                           raw(encoded), encoded.size()) == 1);
    OSSL_HPKE_CTX_free(hpke);
    outer.replace(ech_type, content(payload));
    return outer;
  }

  /// The alert of a server that gets this hello; 0 when it goes on.
  static std::uint8_t send(const client_hello& hello) {
    page_store pages;
    tls_end server(made(make_tls_server_context(ech_server({as_key(world().key)}))), {}, pages);
    REQUIRE(server.core.begin(time_point()).has_value());
    server.core.receive(time_point(), as_record(hello.message()));
    server.core.release_input();
    if (server.core.failure() == nullptr) {
      CHECK_FALSE(take_output(server.core, time_point()).empty());
      return 0;
    }
    return server.core.failure()->alert_sent.value_or(255);
  }

  static unsigned char* raw(octet_string& of) {
    return reinterpret_cast<unsigned char*>(of.data());
  }
  static const unsigned char* raw(const octet_string& of) {
    return reinterpret_cast<const unsigned char*>(of.data());
  }

  client_hello hello_;
};

}  // namespace

TEST_CASE("ech_attacks: a later connection shows no ticket outside",
          "[transport][ech][attack][T01]") {
  need_ech();
  auto options = ech_client(world().key);
  options.sessions = std::make_shared<tls_session_store>();
  const auto client = made(make_tls_client_context(options));
  const auto server = made(make_tls_server_context(ech_server({as_key(world().key)})));
  ech_pair first(client, server);
  REQUIRE(first.shake_hands());
  ech_pair second(client, server);
  REQUIRE(second.shake_hands());
  CHECK_FALSE(second.client.core.security().resumed);
  const client_hello outer(hello_in(second.to_server));
  CHECK(extension(outer, pre_shared_key_type) == nullptr);
  CHECK(extension(outer, early_data_type) == nullptr);
  CHECK(extension(outer, cookie_type) == nullptr);
  CHECK_FALSE(contains(second.to_server, "hidden"));
  CHECK_FALSE(contains(second.to_server, "test/1"));
}

TEST_CASE("ech_attacks: lengths tell little of the name", "[transport][ech][attack][T01]") {
  need_ech();
  std::set<std::size_t> sizes;
  for (std::size_t length = 1; length <= 60; ++length) {
    const auto hello =
        first_hello(ech_client(world().key), std::string(length, 'n') + ".hidden.test");
    const octet_string* const content = extension(hello, ech_type);
    REQUIRE(content != nullptr);
    const std::size_t size = payload_of(*content).size();
    CHECK((size - 16) % 32 == 0);
    sizes.insert(size);
  }
  CHECK(sizes.size() <= 3);
}

TEST_CASE("ech_attacks: somebody changes the second hello or its answer",
          "[transport][ech][attack][T02]") {
  need_ech();
  auto client = ech_client(world().key);
  client.groups = {"X25519", "P-384"};
  auto server = ech_server({as_key(world().key)});
  server.groups = {"P-384"};
  const int what = GENERATE(0, 1, 2, 3);
  ech_pair pair(client, server);
  unsigned flight = 0;
  pair.edit = [&](bool to_server, octet_string& wire) {
    ++flight;
    if (what == 0 && !to_server && flight == 2) {
      // The confirmation at the end of the HelloRetryRequest.
      const auto records = records_of(wire);
      wire[records.front().size() - 1] ^= std::byte{1};
    }
    if (what == 1 && !to_server && flight == 4) wire[5 + 4 + 2 + 31] ^= std::byte{1};
    if (to_server && flight == 3 && what >= 2) {
      client_hello hello(hello_in(wire));
      octet_string content = *extension(hello, ech_type);
      // Another configuration, or a byte of what is encrypted.
      content[what == 2 ? 5 : content.size() - 1] ^= std::byte{1};
      hello.replace(ech_type, content);
      wire = as_record(hello.message());
    }
  };
  CHECK_FALSE(pair.shake_hands());
  CHECK_FALSE(pair.client.core.is_ready());
  CHECK_FALSE(contains(pair.to_server, "hidden"));
  REQUIRE(pair.client.core.failure() != nullptr);
  // Nothing was proven by any of it; a HelloRetryRequest that was not touched was an acceptance.
  CHECK(pair.client.core.failure()->ech == (what < 2 ? ech_status::failed : ech_status::accepted));
  CHECK(pair.client.core.failure()->retry_configs.empty());
  CHECK(after_ech_failure(ech_policy::secure_disable, pair.status(), 0) == ech_next_step::give_up);
}

TEST_CASE("ech_attacks: somebody takes the acceptance away", "[transport][ech][attack][T03]") {
  need_ech();
  ech_pair pair(ech_client(world().key), ech_server({as_key(world().key)}));
  pair.edit = [&](bool to_server, octet_string& wire) {
    // The last byte of the random of the ServerHello says that it was accepted.
    if (!to_server) wire[5 + 4 + 2 + 31] ^= std::byte{1};
    pair.edit = to_server ? pair.edit : nullptr;
  };
  CHECK_FALSE(pair.shake_hands());
  CHECK(pair.status() == ech_status::failed);
  CHECK(pair.client.core.failure()->retry_configs.empty());
}

TEST_CASE("ech_attacks: somebody takes the encrypted hello away", "[transport][ech][attack][T03]") {
  need_ech();
  ech_pair pair(ech_client(world().key), ech_server({as_key(world().key)}));
  pair.edit = [&](bool to_server, octet_string& wire) {
    if (!to_server) return;
    client_hello hello(hello_in(wire));
    hello.remove(ech_type);
    wire = as_record(hello.message());
    pair.edit = nullptr;
  };
  CHECK_FALSE(pair.shake_hands());
  // The transcripts differ, so that the server cannot prove its name to anybody.
  CHECK(pair.status() == ech_status::failed);
}

TEST_CASE("ech_attacks: an imitation has the size of the real thing",
          "[transport][ech][attack][T05]") {
  need_ech();
  auto grease = trusting_client();
  grease.ech_grease = true;
  std::set<std::size_t> imitated;
  std::set<std::size_t> encrypted;
  std::set<std::size_t> whole_imitated;
  for (int i = 0; i < 40; ++i) {
    const octet_string* content = nullptr;
    const auto false_hello = first_hello(grease);
    content = extension(false_hello, ech_type);
    REQUIRE(content != nullptr);
    imitated.insert(payload_of(*content).size());
    const auto true_hello = first_hello(ech_client(world().key));
    content = extension(true_hello, ech_type);
    REQUIRE(content != nullptr);
    encrypted.insert(payload_of(*content).size());
    CHECK(content->size() - payload_of(*content).size() == 1 + 4 + 1 + 2 + 32 + 2);
  }
  for (const std::size_t each : imitated) CHECK((each - 16) % 32 == 0);
  for (const std::size_t each : encrypted) CHECK(imitated.contains(each));
}

TEST_CASE("ech_attacks: references to the outer hello that are in order work",
          "[transport][ech][attack][T06]") {
  need_ech();
  forger forge;
  CHECK(forge.alert_for({supported_groups_type, signature_algorithms_type, key_share_type}) == 0);
  CHECK(forge.alert_for({supported_groups_type}, octet_string(31)) == 0);
}

TEST_CASE("ech_attacks: references that are twice, out of order, missing or to itself",
          "[transport][ech][attack][T06]") {
  need_ech();
  forger forge;
  CHECK(forge.alert_for({supported_groups_type, supported_groups_type}) == illegal_parameter);
  CHECK(forge.alert_for({signature_algorithms_type, supported_groups_type}) == illegal_parameter);
  CHECK(forge.alert_for({supported_groups_type, 0x1234}) == illegal_parameter);
  CHECK(forge.alert_for({supported_groups_type, ech_type}) == illegal_parameter);
  octet_string padding(31);
  padding[30] = std::byte{1};
  CHECK(forge.alert_for({supported_groups_type}, padding) == illegal_parameter);
}

TEST_CASE("ech_attacks: a hello that claims to be an inner one", "[transport][ech][attack][T06]") {
  need_ech();
  client_hello hello = first_hello(ech_client(world().key));
  hello.replace(ech_type, {std::byte{1}});
  page_store pages;
  tls_end server(made(make_tls_server_context(ech_server({as_key(world().key)}))), {}, pages);
  REQUIRE(server.core.begin(time_point()).has_value());
  server.core.receive(time_point(), as_record(hello.message()));
  REQUIRE(server.core.failure() != nullptr);
  CHECK(server.core.failure()->alert_sent == illegal_parameter);
}
