// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/tls.hpp"

#include <openssl/err.h>

#include <cassert>

#include "strata/transport/core/address.hpp"
#include "tls/context_settings.hpp"
#include "tls/ech.hpp"
#include "tls/session_resumption.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Where a context keeps its implementation. An index of our own, because asio::ssl deletes what it
/// finds in app_data.
int implementation_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

/// What both roles share. The options differ in type but not in these names.
template <class Options>
tls_result<context_settings> begin_context(const Options& options, bool server) {
  auto settings = start_context(options.native_library, server);
  if (!settings) return settings;
  tls_result<void> done = set_versions(*settings, options.minimum_version, options.maximum_version);
  if (done) done = set_suites(*settings, options.cipher_suites);
  if (done) done = set_tls12_ciphers(*settings, options.tls12_ciphers);
  if constexpr (requires { options.hello; }) {
    if (done) done = set_groups(*settings, options.groups, options.hello.key_shares);
    if (done) done = set_hello(*settings, options.hello);
  } else {
    if (done) done = set_groups(*settings, options.groups, {});
  }
  if (done) done = set_protocols(*settings, options.alpn);
  if (done) done = set_record_size(*settings, options.record_size);
  if (!done) return std::unexpected(done.error());
  set_verification(*settings, options.verify, options.verification_time);
  set_keylog(*settings, options.keylog);
  return settings;
}

tls_result<void> use_client_credential(context_settings& settings, const tls_credential& shown) {
  const auto credential = load_credential(settings.made->library, shown);
  if (!credential) return std::unexpected(credential.error());
  if (!credential->use(settings.native()))
    return std::unexpected(openssl_failure("the TLS library refuses the client's certificate"));
  settings.identify("shown", der_of(credential->chain.front().get()));
  return {};
}

}  // namespace

const tls_context::implementation& implementation_of(const SSL* session) {
  return *static_cast<const tls_context::implementation*>(
      SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), implementation_index()));
}

bool remember_implementation(tls_context::implementation& made) {
  return implementation_index() >= 0 &&
         SSL_CTX_set_ex_data(made.context.get(), implementation_index(), &made) == 1;
}

tls_context::tls_context(std::shared_ptr<const implementation> made) noexcept
    : implementation_(std::move(made)) {}
bool tls_context::is_server() const noexcept { return implementation_->server; }
const std::vector<std::string>& tls_context::alpn() const noexcept { return implementation_->alpn; }
void* tls_context::native_context() const noexcept { return implementation_->context.get(); }

//= RFC 9114 section 3.1
//# Upon receiving a server certificate in the TLS handshake, the client MUST verify that the
//# certificate is an acceptable match for the URI's origin server using the process described in
//# Section 4.3.4 of [RFC9110].
//= RFC 9114 section 3.1
//# If the certificate cannot be verified with respect to the URI's origin server, the client MUST
//# NOT consider the server authoritative for that origin.
bool tls_context::prepare_client(void* native_session, std::string_view server_name) const {
  auto* const session = static_cast<SSL*>(native_session);
  const std::string name(server_name);
  if (name.empty() || name.find('\0') != std::string::npos) return false;
  X509_VERIFY_PARAM* const parameters = SSL_get0_param(session);
  const bool is_address = address::parse_ip(name, 0).has_value();
  if (is_address) {
    // Names that are asked for are never addresses (RFC 6066 section 3).
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) != 1) return false;
  } else {
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) != 1) return false;
    //= RFC 9114 section 3.2
    //# HTTP/3 clients MUST support a mechanism to indicate the target host to the server during
    //# the TLS handshake.
    //= RFC 9114 section 3.2
    //# clients MUST send the Server Name Indication (SNI; [RFC6066]) TLS extension
    if (SSL_set_tlsext_host_name(session, name.c_str()) != 1) return false;
  }
  const bool imitates = implementation_->ech_grease && !ech_;
  if (ech_ && (is_address || !offer_ech(session, *ech_))) return false;
  if (imitates && !imitate_ech(session)) return false;
  resume_session(session, server_name, ech_ != nullptr);
  return true;
}

tls_result<tls_context> tls_context::with_ech(const tls_ech_offer& offer) const {
  if (is_server()) return std::unexpected(invalid_option("ECH is offered by clients"));
  if (!ech_available()) return std::unexpected(ech_unavailable());
  auto prepared = prepare_ech(offer, alpn());
  if (!prepared) return std::unexpected(prepared.error());
  tls_context out = *this;
  out.ech_ = std::make_shared<const prepared_ech>(std::move(*prepared));
  out.earlier_ech_.reset();
  return out;
}

tls_result<tls_context> tls_context::with_retry_configs(bytes configs) const {
  assert(offers_ech());
  auto prepared =
      prepare_ech({.config_list = {configs.begin(), configs.end()}, .outer_alpn = {}}, alpn());
  if (!prepared) return std::unexpected(prepared.error());
  prepared->outer_alpn = ech_->outer_alpn;
  tls_context out = *this;
  out.ech_ = std::make_shared<const prepared_ech>(std::move(*prepared));
  out.earlier_ech_ = ech_status::rejected_with_retry;
  return out;
}

tls_context tls_context::without_ech() const {
  tls_context out = *this;
  out.ech_ = nullptr;
  out.earlier_ech_ = ech_status::rejected;
  return out;
}

tls_ech_outcome tls_context::ech_outcome(void* native_session,
                                         std::optional<std::uint8_t> alert_sent) const {
  auto* const session = static_cast<SSL*>(native_session);
  tls_ech_outcome out;
  if (is_ech_error(ERR_peek_error())) {
    ech_rejection rejection = ech_rejection_of(session, alert_sent);
    out.status = rejection.status;
    out.retry_configs = std::move(rejection.retry_configs);
  } else {
    out.status =
        earlier_ech_ == ech_status::rejected ? ech_status::rejected : ech_status_of(session);
  }
  out.retried = earlier_ech_ == ech_status::rejected_with_retry;
  return out;
}

std::string tls_context::verification_failure(void* native_session) {
  auto* const session = static_cast<SSL*>(native_session);
  const long verdict = SSL_get_verify_result(session);
  if (verdict == X509_V_OK) return {};
  // After a rejection of ECH this is the public name.
  const std::string name = expected_name(session);
  return X509_verify_cert_error_string(verdict) + (name.empty() ? name : " (for " + name + ")");
}

tls_result<tls_context> make_tls_client_context(const tls_client_options& options) {
  auto settings = begin_context(options, false);
  if (!settings) return std::unexpected(settings.error());
  if (auto done = set_client_trust(*settings, options); !done) return std::unexpected(done.error());
  if (options.credential) {
    auto done = use_client_credential(*settings, *options.credential);
    if (!done) return std::unexpected(done.error());
  }
  set_client_sessions(*settings, options);
  if (!settings->finish()) return std::unexpected(openssl_failure("cannot hash the options"));
  settings->made->ech_grease = options.ech_grease;
  if (options.ech_grease && !ech_available()) return std::unexpected(ech_unavailable());
  const tls_context made(std::move(settings->made));
  return options.ech ? made.with_ech(*options.ech) : made;
}

tls_result<tls_context> make_tls_server_context(const tls_server_options& options) {
  auto settings = begin_context(options, true);
  if (!settings) return std::unexpected(settings.error());
  if (auto done = set_credentials(*settings, options); !done) return std::unexpected(done.error());
  if (auto done = set_client_authentication(*settings, options); !done)
    return std::unexpected(done.error());
  if (auto done = set_ech_keys(*settings, options); !done) return std::unexpected(done.error());
  if (!settings->finish()) return std::unexpected(openssl_failure("cannot hash the options"));
  if (auto done = set_server_tickets(*settings, options); !done)
    return std::unexpected(done.error());
  return tls_context(std::move(settings->made));
}

}  // namespace v0
}  // namespace strata::transport
