// SPDX-License-Identifier: Apache-2.0
#include "testkit/quic/test_tls.hpp"

#include "strata/quic/core/null_tls.hpp"
#include "strata/quic/core/openssl_tls.hpp"
#include "testkit/certificates.hpp"
#include "testkit/fake_random.hpp"

namespace strata::testkit {
namespace {

class seeded_null_tls final : public quic::core::tls_backend {
 public:
  explicit seeded_null_tls(std::uint64_t seed) : random_(seed) {
    quic::core::null_tls_options options;
    options.client_hello_size = 300 + random_.below(1500);
    options.server_flight_size = 500 + random_.below(8000);
    inner_ = quic::core::make_null_tls(random_, options);
  }
  transport::result<std::unique_ptr<quic::core::tls_session>> connect(
      std::string_view name, transport::bytes parameters) override {
    return inner_->connect(name, parameters);
  }
  transport::result<std::unique_ptr<quic::core::tls_session>> accept(
      transport::bytes parameters) override {
    return inner_->accept(parameters);
  }
  bool null_protection() const noexcept override { return true; }

 private:
  fake_random random_;
  std::unique_ptr<quic::core::tls_backend> inner_;
};

}  // namespace

transport::tls_context test_server_tls() {
  transport::tls_server_options options;
  options.alpn = {"test"};
  options.credentials = {test_certificates::shared().server.credential()};
  return make_tls_server_context(options).value();
}

transport::tls_context test_client_tls() {
  transport::tls_client_options options;
  options.alpn = {"test"};
  options.system_roots = false;
  options.roots = {test_certificates::shared().authority.root()};
  return make_tls_client_context(options).value();
}

std::unique_ptr<quic::core::tls_backend> make_openssl_test_tls() {
  return quic::core::make_openssl_tls(test_client_tls(), test_server_tls());
}

std::unique_ptr<quic::core::tls_backend> make_null_test_tls(std::uint64_t seed) {
  return std::make_unique<seeded_null_tls>(seed);
}

}  // namespace strata::testkit
