// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/openssl_tls.hpp"

#include <utility>

#include "core/crypto/openssl_session.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::errc;

class two_contexts final : public openssl_tls {
 public:
  two_contexts(std::optional<transport::tls_context> client,
               std::optional<transport::tls_context> server)
      : client_(std::move(client)), server_(std::move(server)) {}

  result<std::unique_ptr<tls_session>> connect(std::string_view server_name,
                                               bytes transport_parameters) override {
    return begin(client_, role::client, server_name, transport_parameters);
  }
  result<std::unique_ptr<tls_session>> connect_with(const transport::tls_context& context,
                                                    std::string_view server_name,
                                                    bytes transport_parameters) override {
    return begin(context, role::client, server_name, transport_parameters);
  }
  result<std::unique_ptr<tls_session>> accept(bytes transport_parameters) override {
    return begin(server_, role::server, {}, transport_parameters);
  }
  void use(transport::tls_context server) override { server_ = std::move(server); }

 private:
  static result<std::unique_ptr<tls_session>> begin(
      const std::optional<transport::tls_context>& context, role side, std::string_view server_name,
      bytes transport_parameters) {
    if (!context) return std::unexpected(make_error_code(errc::not_supported));
    if (context->alpn().empty() || context->is_server() != (side == role::server)) {
      return std::unexpected(make_error_code(errc::invalid_argument));
    }
    auto session = std::make_unique<openssl_session>(*context, side, transport_parameters);
    if (!session->prepare(server_name))
      return std::unexpected(make_error_code(errc::invalid_argument));
    return session;
  }

  std::optional<transport::tls_context> client_;
  std::optional<transport::tls_context> server_;
};

}  // namespace

std::unique_ptr<openssl_tls> make_openssl_tls(std::optional<transport::tls_context> client,
                                              std::optional<transport::tls_context> server) {
  return std::make_unique<two_contexts>(std::move(client), std::move(server));
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
