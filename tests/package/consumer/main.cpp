// SPDX-License-Identifier: Apache-2.0
// Prints the versions of what it linked; errors and addresses pull in the cores.
#include <strata/quic/core/error.hpp>
#include <strata/quic/version.hpp>
#include <strata/transport/core/address.hpp>
#include <strata/transport/version.hpp>

#include <iostream>

int main() {
  const strata::quic::close_reason reason{.code = 7, .reason = "done"};
  std::cout << "transport " << strata::transport::version() << ", quic " << strata::quic::version()
            << ", " << strata::transport::address::loopback_v4(443).string() << ", "
            << reason.describe() << '\n';
}
