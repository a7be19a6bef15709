// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/quic/core/tls_backend.hpp"

namespace strata::testkit {

/// OpenSSL for both roles with the test authority's certificates, ALPN "test".
std::unique_ptr<quic::core::tls_backend> make_openssl_test_tls();

}  // namespace strata::testkit
