// SPDX-License-Identifier: Apache-2.0
#include "forgetful_server.hpp"

#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <array>
#include <catch2/catch_test_macros.hpp>

namespace strata::quic::tests {
namespace {

using core::bytes;

class forgetful_server final : public core::tls_session {
 public:
  forgetful_server(const testkit::test_certificate& certificate, forgetful_server_options options) {
    // The method of both roles: OpenSSL registers the extension for the role of the moment, which
    // is then changed.
    context_.reset(SSL_CTX_new(TLS_method()));
    BIO* const chain = BIO_new_mem_buf(certificate.certificate_pem.data(), -1);
    BIO* const key = BIO_new_mem_buf(certificate.private_key_pem.data(), -1);
    X509* const leaf = PEM_read_bio_X509(chain, nullptr, nullptr, nullptr);
    EVP_PKEY* const private_key = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
    REQUIRE(SSL_CTX_use_certificate(context_.get(), leaf) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey(context_.get(), private_key) == 1);
    X509_free(leaf);
    EVP_PKEY_free(private_key);
    BIO_free(chain);
    BIO_free(key);
    if (!options.forgets_protocol)
      SSL_CTX_set_alpn_select_cb(context_.get(), select_first, nullptr);
    ssl_.reset(SSL_new(context_.get()));
    options.forgets_transport_parameters ? SSL_set_connect_state(ssl_.get())
                                         : SSL_set_accept_state(ssl_.get());
    static const OSSL_DISPATCH callbacks[] = {
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_SEND, reinterpret_cast<void (*)()>(on_send)},
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RECV_RCD, reinterpret_cast<void (*)()>(on_receive)},
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RELEASE_RCD, reinterpret_cast<void (*)()>(on_release)},
        {OSSL_FUNC_SSL_QUIC_TLS_YIELD_SECRET, reinterpret_cast<void (*)()>(on_secret)},
        {OSSL_FUNC_SSL_QUIC_TLS_GOT_TRANSPORT_PARAMS, reinterpret_cast<void (*)()>(on_parameters)},
        {OSSL_FUNC_SSL_QUIC_TLS_ALERT, reinterpret_cast<void (*)()>(on_alert)},
        {0, nullptr}};
    REQUIRE(SSL_set_quic_tls_cbs(ssl_.get(), callbacks, this) == 1);
    REQUIRE(SSL_set_quic_tls_transport_params(ssl_.get(), parameters_, sizeof parameters_) == 1);
    SSL_set_accept_state(ssl_.get());
  }

  void start() override {}
  void receive(encryption_level level, bytes input) override {
    if (level != read_level_) return;
    input_.insert(input_.end(), input.begin(), input.end());
    ERR_clear_error();
    SSL_do_handshake(ssl_.get());
    ERR_clear_error();
  }
  bool poll_secret(core::traffic_secret&) override { return false; }
  bool take_output(encryption_level& level, std::vector<std::byte>& out) override {
    for (std::size_t i = 0; i < outbox_.size(); ++i) {
      if (outbox_[i].empty()) continue;
      level = static_cast<encryption_level>(i);
      out.insert(out.end(), outbox_[i].begin(), outbox_[i].end());
      outbox_[i].clear();
      return true;
    }
    return false;
  }
  std::optional<bytes> peer_transport_parameters() const override { return std::nullopt; }
  bool handshake_complete() const override { return SSL_is_init_finished(ssl_.get()) == 1; }
  const core::tls_failure* failure() const override { return nullptr; }
  const core::tls_summary& summary() const override { return summary_; }

 private:
  static forgetful_server& self(void* argument) {
    return *static_cast<forgetful_server*>(argument);
  }
  static int select_first(SSL*, const unsigned char** out, unsigned char* size,
                          const unsigned char* offered, unsigned, void*) {
    *out = offered + 1;
    *size = offered[0];
    return SSL_TLSEXT_ERR_OK;
  }
  static int on_send(SSL*, const unsigned char* data, std::size_t size, std::size_t* consumed,
                     void* argument) {
    const auto* const from = reinterpret_cast<const std::byte*>(data);
    auto& outbox = self(argument).outbox_[static_cast<std::size_t>(self(argument).write_level_)];
    outbox.insert(outbox.end(), from, from + size);
    *consumed = size;
    return 1;
  }
  static int on_receive(SSL*, const unsigned char** data, std::size_t* size, void* argument) {
    *data = reinterpret_cast<const unsigned char*>(self(argument).input_.data());
    *size = self(argument).input_.size();
    return 1;
  }
  static int on_release(SSL*, std::size_t, void* argument) {
    self(argument).input_.clear();
    return 1;
  }
  static int on_secret(SSL*, std::uint32_t level, int direction, const unsigned char*, std::size_t,
                       void* argument) {
    auto& which = direction == 0 ? self(argument).read_level_ : self(argument).write_level_;
    which = static_cast<encryption_level>(level);
    return 1;
  }
  static int on_parameters(SSL*, const unsigned char*, std::size_t, void*) { return 1; }
  static int on_alert(SSL*, unsigned char, void*) { return 1; }

  struct context_free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  struct ssl_free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  static constexpr unsigned char parameters_[] = {1, 1, 0};
  core::tls_summary summary_;
  std::vector<std::byte> input_;
  std::array<std::vector<std::byte>, encryption_level_count> outbox_;
  encryption_level read_level_ = encryption_level::initial;
  encryption_level write_level_ = encryption_level::initial;
  std::unique_ptr<SSL_CTX, context_free> context_;
  std::unique_ptr<SSL, ssl_free> ssl_;
};

}  // namespace

std::unique_ptr<core::tls_session> make_forgetful_server(
    const testkit::test_certificate& certificate, forgetful_server_options options) {
  return std::make_unique<forgetful_server>(certificate, options);
}

}  // namespace strata::quic::tests
