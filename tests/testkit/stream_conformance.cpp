// SPDX-License-Identifier: Apache-2.0
#include "testkit/stream_conformance.hpp"

#include <catch2/catch_test_macros.hpp>

namespace strata::testkit {

void check_stream_conformance(const carrier_factory& make) {
  for (const auto& row : {read_conformance(), write_conformance(), try_conformance(),
                          end_conformance(), use_conformance()}) {
    for (const conformance_case& cell : row) {
      DYNAMIC_SECTION(cell.operation << " / " << cell.state) {
        const std::unique_ptr<carrier> fresh = make();
        {
          stream_exercise exercise(*fresh);
          cell.run(exercise);
        }
        fresh->settle();  // destroying the streams must leave nothing that does harm
      }
    }
  }
}

}  // namespace strata::testkit
