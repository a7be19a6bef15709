// SPDX-License-Identifier: Apache-2.0
#include "testkit/carrier.hpp"

namespace strata::testkit {

void carrier::settle() {
  do {
    context().restart();
  } while (context().poll() > 0);
}

}  // namespace strata::testkit
