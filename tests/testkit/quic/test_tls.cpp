// SPDX-License-Identifier: Apache-2.0
#include "testkit/quic/test_tls.hpp"

#include "strata/quic/core/openssl_tls.hpp"
#include "testkit/certificates.hpp"

namespace strata::testkit {

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

}  // namespace strata::testkit
