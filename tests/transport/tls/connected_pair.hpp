// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "tls_pair.hpp"

namespace strata::transport::tests {

struct contexts {
  tls_context client;
  tls_context server;
};

inline contexts both(tls_version version, std::size_t record_size = limits::tls_record_size) {
  auto client = trusting_client();
  auto server = test_server();
  client.minimum_version = server.minimum_version = version;
  client.maximum_version = server.maximum_version = version;
  client.record_size = server.record_size = record_size;
  return {made(make_tls_client_context(client)), made(make_tls_server_context(server))};
}

inline const contexts& tls13() {
  static const contexts made_once = both(tls_version::tls13);
  return made_once;
}

inline const contexts& tls12() {
  static const contexts made_once = both(tls_version::tls12);
  return made_once;
}

struct connected : tls_pair {
  explicit connected(const contexts& of = tls13(), tls_pair_options options = {})
      : tls_pair(of.client, of.server, std::move(options)) {
    REQUIRE(shake_hands());
    to_server.clear();
    to_client.clear();
  }
};

inline std::error_code read_error(tls_connection& core) {
  std::byte octet{};
  const auto count = core.read({&octet, 1});
  return count ? std::error_code() : count.error();
}

inline std::error_code write_error(tls_connection& core) {
  const bytes piece = as_bytes("x");
  const auto count = core.write({&piece, 1});
  return count ? std::error_code() : count.error();
}

}  // namespace strata::transport::tests
