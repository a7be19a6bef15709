// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/io_context.hpp>
#include <memory>
#include <string>

#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"
#include "testkit/certificates.hpp"

namespace strata::tests {

/// TLS of a name server, server.test, and of its clients.
inline transport::tls_context server_tls(const std::string& alpn = "http/1.1") {
  transport::tls_server_options options;
  options.alpn = {alpn};
  options.credentials = {testkit::test_certificates::shared().server.credential()};
  return transport::make_tls_server_context(options).value();
}

inline std::shared_ptr<transport::stream_dialer> tls_to_server(
    asio::io_context& context, const std::string& alpn = "http/1.1",
    const std::string& name = "server.test") {
  transport::tls_client_options options;
  options.alpn = {alpn};
  options.system_roots = false;
  options.roots = {testkit::test_certificates::shared().authority.root()};
  transport::tls_stream_options streams;
  streams.server_name = name;
  return std::make_shared<transport::tls_dialer>(
      std::make_shared<transport::tcp_dialer>(context.get_executor()),
      transport::make_tls_client_context(options).value(), streams);
}

}  // namespace strata::tests
