// SPDX-License-Identifier: Apache-2.0
#include "testkit/quic/test_tls.hpp"

#include <stdexcept>

#include "strata/quic/core/openssl_tls.hpp"
#include "testkit/certificates.hpp"

namespace strata::testkit {

std::unique_ptr<quic::core::tls_backend> make_openssl_test_tls() {
  const test_certificates& certificates = test_certificates::shared();
  transport::tls_client_options client;
  client.alpn = {"test"};
  client.system_roots = false;
  client.roots = {certificates.authority.root()};
  transport::tls_server_options server;
  server.alpn = {"test"};
  server.credentials = {certificates.server.credential()};
  auto client_context = make_tls_client_context(client);
  auto server_context = make_tls_server_context(server);
  if (!client_context || !server_context) throw std::logic_error("the test certificates are refused");
  return quic::core::make_openssl_tls(*client_context, *server_context);
}

}  // namespace strata::testkit
