// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "testkit/carrier.hpp"
#include "testkit/stream_exercise.hpp"

namespace strata::testkit {

/// One cell of the table of operations and states in the contract of streams.
struct conformance_case {
  std::string_view operation;
  std::string_view state;
  void (*run)(stream_exercise&);
};

/// The table, row by row.
std::span<const conformance_case> read_conformance();
std::span<const conformance_case> write_conformance();
std::span<const conformance_case> end_conformance();
std::span<const conformance_case> try_conformance();
std::span<const conformance_case> use_conformance();

using carrier_factory = std::function<std::unique_ptr<carrier>()>;

/// Runs every cell as a section of its own on a fresh carrier. Call it from a TEST_CASE:
///
///     TEST_CASE("tcp: streams keep the contract", "[transport][stream][conformance]") {
///       check_stream_conformance([] { return std::make_unique<tcp_carrier>(); });
///     }
void check_stream_conformance(const carrier_factory& make);

}  // namespace strata::testkit
