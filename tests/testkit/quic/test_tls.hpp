// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "strata/quic/core/tls_backend.hpp"
#include "strata/transport/tls.hpp"

namespace strata::testkit {

/// The test authority's certificate for server.test, ALPN "test".
transport::tls_context test_server_tls();
/// Believes only the test authority, ALPN "test".
transport::tls_context test_client_tls();
/// OpenSSL for both roles with these.
std::unique_ptr<quic::core::tls_backend> make_openssl_test_tls();

/// The null backend, with randomness of its own that follows from the seed; the sizes of the
/// flights do too.
std::unique_ptr<quic::core::tls_backend> make_null_test_tls(std::uint64_t seed);

}  // namespace strata::testkit
