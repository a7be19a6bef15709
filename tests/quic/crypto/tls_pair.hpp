// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "strata/quic/core/tls_backend.hpp"

namespace strata::quic::tests {

/// Two TLS sessions that talk to each other as QUIC's CRYPTO frames would let them, without
/// packets.
class tls_pair {
 public:
  struct side {
    std::unique_ptr<core::tls_session> session;
    std::vector<core::traffic_secret> secrets;
    std::vector<std::size_t> sent =
        std::vector<std::size_t>(encryption_level_count);  ///< Bytes by level.
  };
  using tamper_function =
      std::function<void(bool from_client, encryption_level, std::vector<std::byte>&)>;

  tls_pair(std::unique_ptr<core::tls_session> for_client,
           std::unique_ptr<core::tls_session> for_server);

  /// Until neither side has anything to say.
  void run();
  bool complete() const {
    return client.session->handshake_complete() && server.session->handshake_complete();
  }

  std::size_t chunk = SIZE_MAX;  ///< What is delivered at a time.
  tamper_function tamper;        ///< May change what is under way.
  side client;
  side server;

 private:
  bool deliver(side& from, side& to);
  static void drain_secrets(side& which);
};

/// The secret of one level and direction; null when it has not appeared.
const core::traffic_secret* find_secret(const tls_pair::side& which, encryption_level level,
                                        core::traffic_secret::direction way);

}  // namespace strata::quic::tests
