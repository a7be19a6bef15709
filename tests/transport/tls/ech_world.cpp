// SPDX-License-Identifier: Apache-2.0
#include "ech_world.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace strata::transport::tests {

ech_world::ech_world() {
  const auto& authority = testkit::test_certificates::shared().authority;
  of_public = authority.issue({.names = {public_name}});
  of_hidden = authority.issue({.names = {hidden_name, "other.hidden.test"}});
  key = make_ech_key(public_name).value();
  // Another ID, which is drawn at random.
  const auto id = [](const ech_key_pair& of) {
    return parse_ech_config_list(of.config_list).value().front().config_id;
  };
  do other_key = make_ech_key(public_name).value();
  while (id(other_key) == id(key));
}

const ech_world& ech_world::shared() {
  static const ech_world made;
  return made;
}

tls_ech_offer offer_of(const ech_key_pair& key) { return {.config_list = key.config_list}; }

tls_ech_key as_key(const ech_key_pair& key, bool offered) {
  return {.pem = pem_source::from_text(key.pem), .offered = offered};
}

tls_server_options ech_server(std::vector<tls_ech_key> keys) {
  const ech_world& world = ech_world::shared();
  auto options = test_server();
  options.alpn = {"test/1", "h2"};
  options.credentials = {world.of_public.credential(), world.of_hidden.credential()};
  options.ech_keys = std::move(keys);
  return options;
}

tls_client_options ech_client(const ech_key_pair& key) {
  auto options = trusting_client();
  options.ech = offer_of(key);
  return options;
}

ech_pair::ech_pair(const tls_client_options& client, const tls_server_options& server,
                   const std::string& name)
    : ech_pair(made(make_tls_client_context(client)), made(make_tls_server_context(server)), name) {
}

ech_pair::ech_pair(const tls_context& client, const tls_context& server, const std::string& name)
    : tls_pair(client, server, {.client = {.server_name = name}}) {}

ech_status ech_pair::status() const {
  const tls_failure* const failure = client.core.failure();
  return failure != nullptr ? failure->ech : client.core.security().ech;
}

std::error_code ech_pair::code() const {
  const tls_failure* const failure = client.core.failure();
  return failure != nullptr ? failure->code : std::error_code();
}

bool has(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

bool contains(bytes haystack, std::string_view needle) {
  const bytes wanted = as_bytes(needle);
  return std::search(haystack.begin(), haystack.end(), wanted.begin(), wanted.end()) !=
         haystack.end();
}

}  // namespace strata::transport::tests
