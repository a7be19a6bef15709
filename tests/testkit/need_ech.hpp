// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <catch2/catch_test_macros.hpp>

#include "strata/transport/tls_ech.hpp"

namespace strata::testkit {

/// Ends the test, as skipped, where the TLS library has no Encrypted Client Hello. What asking for
/// it says there has tests of its own.
inline void need_ech() {
  if (!transport::ech_available()) SKIP("this TLS library has no ECH");
}

}  // namespace strata::testkit
