// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "strata/transport/core/ech_config.hpp"
#include "strata/transport/core/ech_retry.hpp"
#include "testkit/need_ech.hpp"
#include "tls_pair.hpp"

namespace strata::transport::tests {

inline constexpr const char* public_name = "public.test";
inline constexpr const char* hidden_name = "hidden.test";

/// Certificates of both names, and a server's key that DNS names.
struct ech_world {
  ech_world();
  static const ech_world& shared();

  testkit::test_certificate of_public;
  testkit::test_certificate of_hidden;
  ech_key_pair key;
  ech_key_pair other_key;
};

using testkit::need_ech;

tls_ech_offer offer_of(const ech_key_pair& key);
/// A server of both names that knows these keys.
tls_server_options ech_server(std::vector<tls_ech_key> keys);
tls_ech_key as_key(const ech_key_pair& key, bool offered = true);
/// A client of hidden_name that has this key from DNS.
tls_client_options ech_client(const ech_key_pair& key);

struct ech_pair : tls_pair {
  ech_pair(const tls_client_options& client, const tls_server_options& server,
           const std::string& name = hidden_name);
  ech_pair(const tls_context& client, const tls_context& server,
           const std::string& name = hidden_name);

  /// Of the client: the failure's, or what security() says.
  ech_status status() const;
  std::error_code code() const;
};

bool contains(bytes haystack, std::string_view needle);
/// The same of an error's text, which a failing test shows.
bool has(const std::string& text, std::string_view part);

}  // namespace strata::transport::tests
