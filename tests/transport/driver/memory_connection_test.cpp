// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/memory_connection.hpp"

#include <catch2/catch_test_macros.hpp>

#include "testkit/connection_conformance.hpp"

using namespace strata;

namespace {

class memory_maker final : public testkit::connection_maker {
 public:
  const testkit::connection_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }
  testkit::connection_ends connect() override {
    auto pair = transport::make_memory_connections(context_.get_executor());
    return {std::move(pair.first), std::move(pair.second)};
  }

 private:
  testkit::connection_row row_{.name = "memory", .carries_codes = true, .carries_reasons = true};
  asio::io_context context_;
};

}  // namespace

TEST_CASE("memory: connections keep the contract", "[transport][connection][conformance]") {
  testkit::check_connection_conformance([] { return std::make_unique<memory_maker>(); });
}
