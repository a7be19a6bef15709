// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/quic/core/null_tls.hpp"
#include "testkit/quic/raw_peer.hpp"

namespace strata::testkit {

/// A server endpoint with the null backend and a raw client in front of it.
struct hostile_client {
  explicit hostile_client(const quic::core::endpoint_config& config = accepting(),
                          const quic::core::null_tls_options& tls_options = {})
      : server_tls(make_null_tls(server_random, tls_options)),
        client_tls(make_null_tls(client_random, tls_options)),
        endpoint(config, server_random, clock, *server_tls),
        peer(endpoint, *client_tls, 5) {}

  static quic::core::endpoint_config accepting() {
    quic::core::endpoint_config config;
    config.accept_incoming = true;
    return config;
  }
  /// The wire code that the endpoint closed with; nothing while it is open.
  std::optional<quic::transport_error> close_code() {
    peer.pump();
    if (!peer.closed_with()) return std::nullopt;
    return static_cast<quic::transport_error>(peer.closed_with()->error_code);
  }
  quic::core::connection_view connection() { return endpoint.at(peer.connection()); }

  fake_random server_random{1};
  fake_random client_random{2};
  fake_wall_clock clock;
  std::unique_ptr<quic::core::tls_backend> server_tls;
  std::unique_ptr<quic::core::tls_backend> client_tls;
  quic::core::endpoint endpoint;
  raw_peer peer;
};

}  // namespace strata::testkit
