// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

namespace strata::testkit {

/// A library context of OpenSSL whose randomness follows from a seed, so that real handshakes
/// replay: give native() to tls_client_options and tls_server_options, together with a
/// verification_time. Two sides that share one replay only together. It serves the thread that made
/// it, and a few hundred handshakes.
class seeded_tls_library {
 public:
  explicit seeded_tls_library(std::uint64_t seed);
  ~seeded_tls_library();
  seeded_tls_library(const seeded_tls_library&) = delete;
  seeded_tls_library& operator=(const seeded_tls_library&) = delete;

  /// The OSSL_LIB_CTX*; contexts made with it must go first.
  void* native() const;

 private:
  struct handles;
  std::unique_ptr<handles> handles_;
};

}  // namespace strata::testkit
