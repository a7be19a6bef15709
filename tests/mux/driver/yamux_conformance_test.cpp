// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "strata/mux/yamux.hpp"
#include "strata/transport/memory_stream.hpp"
#include "testkit/connection_conformance.hpp"
#include "testkit/stream_conformance.hpp"

using namespace strata;

namespace {

/// One stream of a yamux session over a pair of memory streams.
class yamux_carrier final : public testkit::carrier {
 public:
  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }

  testkit::stream_ends connect() override {
    auto pair = transport::make_memory_streams(context_.get_executor());
    link_.emplace(pair.link);
    dialled_ = mux::make_yamux_connection(std::move(pair.first), mux::role::client);
    accepted_ = mux::make_yamux_connection(std::move(pair.second), mux::role::server);
    testkit::stream_ends ends;
    dialled_->async_open_stream(
        [&](std::error_code error, std::unique_ptr<transport::stream> made) {
          REQUIRE_FALSE(error);
          ends.near = std::move(made);
        });
    accepted_->async_accept_stream(
        [&](std::error_code error, std::unique_ptr<transport::stream> made) {
          REQUIRE_FALSE(error);
          ends.far = std::move(made);
        });
    while (!ends.near || !ends.far) context_.run_one();
    settle();
    return ends;
  }

  std::optional<std::error_code> lose() override {
    link_->cut(make_error_code(transport::errc::unreachable));
    settle();
    return make_error_code(transport::errc::unreachable);
  }

 private:
  testkit::carrier_row row_{.name = "yamux",
                            .traits = {true, true, false, true},
                            .reset_kills_connection = true,
                            .tries = true,
                            .peeks = true};
  asio::io_context context_;
  std::optional<transport::memory_link> link_;
  std::unique_ptr<transport::connection> dialled_, accepted_;
};

class yamux_maker final : public testkit::connection_maker {
 public:
  const testkit::connection_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }
  testkit::connection_ends connect() override {
    auto pair = transport::make_memory_streams(context_.get_executor());
    return {mux::make_yamux_connection(std::move(pair.first), mux::role::client),
            mux::make_yamux_connection(std::move(pair.second), mux::role::server)};
  }

 private:
  testkit::connection_row row_{.name = "yamux"};  // codes 1 and 2 say what failed
  asio::io_context context_;
};

}  // namespace

TEST_CASE("yamux: connections keep the contract", "[mux][connection][conformance]") {
  testkit::check_connection_conformance([] { return std::make_unique<yamux_maker>(); });
}

TEST_CASE("yamux: streams keep the contract", "[mux][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<yamux_carrier>(); });
}
