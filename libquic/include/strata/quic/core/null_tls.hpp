// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "strata/quic/core/tls_backend.hpp"
#include "strata/quic/export.hpp"
#include "strata/transport/core/random.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

struct null_tls_options {
  /// Application protocols; a client offers them, a server takes the first of its own that was
  /// offered.
  std::vector<std::string> alpn{"test"};
  /// Handshake bytes of the client's first flight, at the Initial level; no fewer than its content
  /// needs. Beyond 1,100 it takes two packets, as today's real one does.
  std::size_t client_hello_size = 300;
  /// Bytes of the server's flight at the Handshake level, where a certificate would be. Beyond
  /// 3,600 it meets the amplification limit.
  std::size_t server_flight_size = 3000;
};

/// A handshake without cryptography, for simulation and fuzzing: the same levels, flights and order
/// of secrets as TLS 1.3, and the same failures, out of a few bytes that follow from `random`
/// alone. It protects nothing and proves nothing. `random` outlives the backend and its sessions.
STRATA_QUIC_API std::unique_ptr<tls_backend> make_null_tls(transport::random_source& random,
                                                           null_tls_options options = {});

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
