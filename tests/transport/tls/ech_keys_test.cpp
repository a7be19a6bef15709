// SPDX-License-Identifier: Apache-2.0
// Keys and lists of Encrypted Client Hello: how they are made, read and judged, and what is
// refused.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "ech_world.hpp"
#include "strata/transport/core/error.hpp"
#include "tls/ech.hpp"

namespace {

using namespace strata::transport;
using namespace strata::transport::tests;

const ech_world& world() { return ech_world::shared(); }

std::string error_of(const tls_result<tls_context>& context, errc code = errc::invalid_argument) {
  REQUIRE_FALSE(context.has_value());
  CHECK(context.error().code == code);
  return context.error().text;
}

}  // namespace

TEST_CASE("ech: where the TLS library has none, asking for it says so", "[transport][ech]") {
  if (ech_available()) return;
  tls_ech_offer offer;
  auto client = trusting_client();
  client.ech = offer;
  CHECK(has(error_of(make_tls_client_context(client), errc::not_supported), "OpenSSL 4"));
  client = trusting_client();
  client.ech_grease = true;
  CHECK(has(error_of(make_tls_client_context(client), errc::not_supported), "OpenSSL 4"));
  auto server = test_server();
  server.ech_keys.emplace_back();
  CHECK(has(error_of(make_tls_server_context(server), errc::not_supported), "OpenSSL 4"));
  CHECK(make_ech_key("public.test").error().code == errc::not_supported);
}

TEST_CASE("ech: an offer that cannot work is refused in words", "[transport][ech]") {
  need_ech();
  const auto plain = made(make_tls_client_context(trusting_client()));
  const auto refused = [&](std::vector<std::byte> list, errc code) {
    return error_of(plain.with_ech({.config_list = std::move(list)}), code);
  };
  CHECK(has(refused({}, errc::malformed), "ECHConfigList"));
  auto damaged = world().key.config_list;
  damaged.pop_back();
  CHECK(has(refused(damaged, errc::malformed), "ECHConfigList"));
  auto newer = world().key.config_list;
  newer[2] = std::byte{0xff};
  CHECK(has(refused(newer, errc::not_supported), "version 0xff0d"));
  const auto server = made(make_tls_server_context(ech_server({})));
  CHECK(has(error_of(server.with_ech(offer_of(world().key))), "clients"));

  const auto client = plain.with_ech(offer_of(world().key)).value();
  page_store pages;
  tls_connection to_address(client, {.server_name = "127.0.0.1"}, pages);
  CHECK(to_address.begin(time_point()).error() == errc::invalid_argument);
}

TEST_CASE("ech: keys of a server are read from files and memory, and told apart",
          "[transport][ech]") {
  need_ech();
  const auto path = std::filesystem::temp_directory_path() /
                    ("strata-ech-" + std::to_string(::getpid()) + ".pem");
  std::ofstream(path) << world().key.pem;
  ech_pair pair(ech_client(world().key),
                ech_server({{.pem = pem_source::from_file(path.string())}}));
  CHECK(pair.shake_hands());
  CHECK(pair.status() == ech_status::accepted);
  std::filesystem::remove(path);
  const auto refused = [](tls_ech_key key, errc code = errc::invalid_argument) {
    return error_of(make_tls_server_context(ech_server({std::move(key)})), code);
  };
  const auto missing =
      make_tls_server_context(ech_server({{.pem = pem_source::from_file(path.string())}}));
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == std::errc::no_such_file_or_directory);
  const std::string& pem = world().key.pem;
  const auto text = [](std::string content) {
    return tls_ech_key{.pem = pem_source::from_text(std::move(content))};
  };
  const std::size_t config = pem.find("-----BEGIN ECHCONFIG-----");
  REQUIRE(config != std::string::npos);
  CHECK(has(refused(text(pem.substr(0, config))), "BEGIN ECHCONFIG"));
  CHECK(has(refused(text("hello")), "BEGIN ECHCONFIG"));
  CHECK(has(refused(text(pem.substr(config))), "private key"));
  const std::string& other = world().other_key.pem;
  const std::string mixed =
      other.substr(0, other.find("-----BEGIN ECHCONFIG-----")) + pem.substr(config);
  CHECK_FALSE(make_tls_server_context(ech_server({text(mixed)})).has_value());
  CHECK(has(refused({}), "no ECH key given"));
}

TEST_CASE("ech: two keys under one ID need trial decryption", "[transport][ech]") {
  need_ech();
  const auto id_of = [](const ech_key_pair& key) {
    return parse_ech_config_list(key.config_list).value().front().config_id;
  };
  ech_key_pair twin;
  do twin = make_ech_key(public_name).value();
  while (id_of(twin) != id_of(world().key));
  auto options = ech_server({as_key(world().key), as_key(twin)});
  CHECK(has(error_of(make_tls_server_context(options)), "share the ID"));
  options.ech_trial_decryption = true;
  for (const ech_key_pair* const key : {&world().key, static_cast<const ech_key_pair*>(&twin)}) {
    ech_pair pair(ech_client(*key), options);
    CHECK(pair.shake_hands());
    CHECK(pair.status() == ech_status::accepted);
  }
}

TEST_CASE("ech: a key is made for a public name", "[transport][ech]") {
  need_ech();
  const auto made_key = make_ech_key("many.public.test", 77);
  REQUIRE(made_key.has_value());
  const auto configs = parse_ech_config_list(made_key->config_list).value();
  REQUIRE(configs.size() == 1);
  CHECK(configs[0].public_name == "many.public.test");
  CHECK(configs[0].maximum_name_length == 77);
  CHECK(configs[0].kem == 0x20);
  CHECK(configs[0].cipher_suites == std::vector<ech_cipher_suite>{{1, 1}});
  CHECK(ech_config_unusable(configs[0]).empty());
  CHECK(made_key->pem.starts_with("-----BEGIN PRIVATE KEY-----"));
  CHECK(has(made_key->pem, "-----BEGIN ECHCONFIG-----"));
  for (const char* const bad : {"", "127.0.0.1", "a..b", "-"})
    CHECK(make_ech_key(bad).error().code == errc::invalid_argument);
}

TEST_CASE("ech: retry configurations are judged as they came", "[transport][ech]") {
  CHECK(judge_retry_configs(std::nullopt) == ech_status::rejected);
  CHECK(judge_retry_configs(std::vector<std::byte>()) == ech_status::failed);
  need_ech();
  const auto configs = parse_ech_config_list(world().key.config_list).value();
  CHECK(judge_retry_configs(world().key.config_list) == ech_status::rejected_with_retry);
  // One that nobody can use beside one that we can: servers are told to do that.
  ech_config extraneous = configs.front();
  extraneous.encoded[0] = std::byte{0xff};
  const std::vector<ech_config> both = {extraneous, configs.front()};
  CHECK(judge_retry_configs(encode_ech_config_list(both)) == ech_status::rejected_with_retry);
  CHECK(judge_retry_configs(encode_ech_config_list({&extraneous, 1})) == ech_status::rejected);
  auto damaged = world().key.config_list;
  damaged.pop_back();
  CHECK(judge_retry_configs(damaged) == ech_status::failed);
}
