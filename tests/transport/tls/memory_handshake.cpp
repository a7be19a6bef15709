// SPDX-License-Identifier: Apache-2.0
#include "memory_handshake.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <catch2/catch_test_macros.hpp>

namespace strata::transport::tests {

memory_handshake::memory_handshake(const tls_context& client, const tls_context& server,
                                   const std::string& name)
    : client_context_(client),
      server_context_(server),
      client_(SSL_new(static_cast<SSL_CTX*>(client.native_context()))),
      server_(SSL_new(static_cast<SSL_CTX*>(server.native_context()))) {
  BIO* left = nullptr;
  BIO* right = nullptr;
  REQUIRE(BIO_new_bio_pair(&left, 65536, &right, 65536) == 1);
  SSL_set_bio(client_.get(), left, left);
  SSL_set_bio(server_.get(), right, right);
  SSL_set_connect_state(client_.get());
  SSL_set_accept_state(server_.get());
  SSL_set_app_data(client_.get(), this);
  SSL_set_app_data(server_.get(), this);
  SSL_set_info_callback(client_.get(), on_info);
  SSL_set_info_callback(server_.get(), on_info);
  REQUIRE(client.prepare_client(client_.get(), name));
}

void memory_handshake::on_info(const SSL* ssl, int where, int value) {
  auto* const self = static_cast<memory_handshake*>(SSL_get_app_data(ssl));
  if ((where & SSL_CB_WRITE_ALERT) != SSL_CB_WRITE_ALERT) return;
  (ssl == self->client_.get() ? self->client_alert_ : self->server_alert_) = value & 0xff;
}

bool memory_handshake::run() {
  int client_done = 0;
  int server_done = 0;
  bool failed = false;
  for (int turn = 0; turn < 20; ++turn) {
    for (const bool is_client : {true, false}) {
      SSL* const ssl = is_client ? client_.get() : server_.get();
      int& done = is_client ? client_done : server_done;
      char byte = 0;
      ERR_clear_error();
      const int outcome = done == 1 ? SSL_read(ssl, &byte, 1) : SSL_do_handshake(ssl);
      if (outcome == 1) done = 1;
      const int why = outcome == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, outcome);
      failed = failed || why == SSL_ERROR_SSL;
      ERR_clear_error();
    }
  }
  return client_done == 1 && server_done == 1 && !failed;
}

std::string memory_handshake::alpn() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(client_.get(), &chosen, &size);
  return {reinterpret_cast<const char*>(chosen), size};
}

certificate_hash memory_handshake::shown() const {
  certificate_hash hash{};
  unsigned size = 0;
  X509* const leaf = SSL_get0_peer_certificate(client_.get());
  REQUIRE(leaf != nullptr);
  X509_digest(leaf, EVP_sha256(), reinterpret_cast<unsigned char*>(hash.data()), &size);
  return hash;
}

}  // namespace strata::transport::tests
