// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "strata/quic/connections.hpp"
#include "testkit/connection_conformance.hpp"
#include "testkit/quic/test_tls.hpp"

using namespace strata;

namespace {

class quic_maker final : public testkit::connection_maker {
 public:
  const testkit::connection_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }

  testkit::connection_ends connect() override {
    quic::endpoint_options options;
    options.bind = transport::address::loopback_v4(0);
    options.server_tls = testkit::test_server_tls();
    options.client_tls = testkit::test_client_tls();
    endpoint_ =
        std::move(quic::endpoint::open(context_.get_executor(), std::move(options)).value());
    dialer_ = std::make_unique<quic::endpoint_dialer>(endpoint_);
    listener_ = std::make_unique<quic::endpoint_listener>(endpoint_);
    testkit::connection_ends ends;
    listener_->async_accept([&](std::error_code, std::unique_ptr<transport::connection> made) {
      ends.far = std::move(made);
    });
    const transport::target where("localhost", listener_->local_address().port());
    dialer_->async_dial(where,
                        [&](std::error_code error, std::unique_ptr<transport::connection> made) {
                          CHECK_FALSE(error);
                          ends.near = std::move(made);
                        });
    while (!ends.near || !ends.far) context_.run_one();
    return ends;
  }

 private:
  testkit::connection_row row_{
      .name = "QUIC", .carries_codes = true, .carries_reasons = true, .opens_lazily = true};
  asio::io_context context_;
  quic::endpoint endpoint_;
  std::unique_ptr<quic::endpoint_dialer> dialer_;
  std::unique_ptr<quic::endpoint_listener> listener_;
};

}  // namespace

TEST_CASE("quic: connections keep the contract", "[quic][connection][conformance]") {
  testkit::check_connection_conformance([] { return std::make_unique<quic_maker>(); });
}
