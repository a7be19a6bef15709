// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "strata/transport/tls.hpp"

namespace strata::transport::tests {

/// A TLS handshake over memory between two contexts, as a driver of byte streams would do it.
class memory_handshake {
 public:
  memory_handshake(const tls_context& client, const tls_context& server, const std::string& name);

  /// Goes on until both are done or stuck; false when a side failed.
  bool run();
  SSL* client() const { return client_.get(); }
  SSL* server() const { return server_.get(); }
  std::string alpn() const;
  /// The DER of what the server showed, hashed.
  certificate_hash shown() const;
  /// The TLS alert that the client ended with; -1 when none.
  int client_alert() const { return client_alert_; }
  int server_alert() const { return server_alert_; }

 private:
  struct ssl_free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  static void on_info(const SSL* ssl, int where, int value);

  tls_context client_context_;
  tls_context server_context_;
  std::unique_ptr<SSL, ssl_free> client_;
  std::unique_ptr<SSL, ssl_free> server_;
  int client_alert_ = -1;
  int server_alert_ = -1;
};

}  // namespace strata::transport::tests
