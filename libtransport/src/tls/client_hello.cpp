// SPDX-License-Identifier: Apache-2.0
// What of a ClientHello can be chosen.
#include <openssl/err.h>

#include <algorithm>

#include "tls/context_settings.hpp"
#include "tls/tls_connection.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// In OpenSSL's language for groups: a star is before those that a key is sent for.
std::string groups_with_keys(std::span<const std::string> groups,
                             std::span<const std::string> key_shares) {
  std::vector<std::string> marked;
  for (const std::string& group : groups) {
    const bool sent = std::find(key_shares.begin(), key_shares.end(), group) != key_shares.end();
    marked.push_back((sent ? "*" : "") + group);
  }
  return joined(marked);
}

}  // namespace

tls_result<void> set_groups(context_settings& settings, std::span<const std::string> groups,
                            std::span<const std::string> key_shares) {
  for (const std::string& each : key_shares) {
    if (std::find(groups.begin(), groups.end(), each) == groups.end())
      return std::unexpected(
          invalid_option("hello.key_shares: \"" + each + "\" is not among the groups"));
  }
  // Signs that mean something to OpenSSL are not part of a name.
  const auto is_sign = [](char each) {
    return each == '*' || each == '?' || each == '-' || each == '/';
  };
  for (const std::string& each : groups) {
    if (each.empty() || is_sign(each.front()) || each.find_first_of(":/") != std::string::npos)
      return std::unexpected(invalid_option("\"" + each + "\" is no name of a group"));
  }
  if (groups.empty()) return {};
  if (SSL_CTX_set1_groups_list(settings.native(), groups_with_keys(groups, key_shares).c_str()) ==
      1)
    return {};
  return std::unexpected(openssl_failure("unknown key exchange group in \"" + joined(groups) +
                                         "\": use names like X25519MLKEM768, X25519, P-256"));
}

tls_result<void> set_hello(context_settings& settings, const client_hello_profile& profile) {
  SSL_CTX* const context = settings.native();
  if (!profile.signature_algorithms.empty() &&
      SSL_CTX_set1_sigalgs_list(context, joined(profile.signature_algorithms).c_str()) != 1) {
    return std::unexpected(
        openssl_failure("unknown signature algorithm in \"" + joined(profile.signature_algorithms) +
                        "\": use names like ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256"));
  }
  if (profile.status_request &&
      SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp) != 1)
    return std::unexpected(openssl_failure("cannot ask for an OCSP response"));
  if (!profile.encrypt_then_mac) SSL_CTX_set_options(context, SSL_OP_NO_ENCRYPT_THEN_MAC);
  if (profile.record_size > limits::tls_record_size) {
    return std::unexpected(invalid_option("hello.record_size must be at most " +
                                          std::to_string(limits::tls_record_size) + " bytes"));
  }
  settings.made->hello_record_size = profile.record_size;
  return {};
}

void choose_like_a_browser(tls_client_options& options) {
  options.minimum_version = tls_version::tls12;
  options.maximum_version = tls_version::tls13;
  options.alpn = {"h2", "http/1.1"};
  options.cipher_suites = {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
                           "TLS_AES_256_GCM_SHA384"};
  options.tls12_ciphers = {"ECDHE-ECDSA-AES128-GCM-SHA256",
                           "ECDHE-RSA-AES128-GCM-SHA256",
                           "ECDHE-ECDSA-CHACHA20-POLY1305",
                           "ECDHE-RSA-CHACHA20-POLY1305",
                           "ECDHE-ECDSA-AES256-GCM-SHA384",
                           "ECDHE-RSA-AES256-GCM-SHA384",
                           "ECDHE-ECDSA-AES256-SHA",
                           "ECDHE-ECDSA-AES128-SHA",
                           "ECDHE-RSA-AES128-SHA",
                           "ECDHE-RSA-AES256-SHA",
                           "AES128-GCM-SHA256",
                           "AES256-GCM-SHA384",
                           "AES128-SHA",
                           "AES256-SHA"};
  options.groups = {"X25519", "P-256", "P-384", "P-521", "ffdhe2048", "ffdhe3072"};
  options.hello.key_shares = {"X25519", "P-256"};
  options.hello.signature_algorithms = {
      "ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512",
      "rsa_pss_rsae_sha256",    "rsa_pss_rsae_sha384",    "rsa_pss_rsae_sha512",
      "rsa_pkcs1_sha256",       "rsa_pkcs1_sha384",       "rsa_pkcs1_sha512"};
  options.hello.status_request = true;
  options.hello.encrypt_then_mac = false;
}

tls_result<std::vector<std::byte>> make_client_hello(const tls_context& context,
                                                     std::string_view server_name) {
  if (context.is_server()) return std::unexpected(invalid_option("a server sends no ClientHello"));
  page_store pages(0);
  tls_connection connection(context, {.server_name = std::string(server_name)}, pages);
  const time_point never{};
  if (const auto begun = connection.begin(never); !begun) {
    return std::unexpected(tls_error{begun.error(), "\"" + std::string(server_name) +
                                                        "\" cannot be asked for: it is to be a DNS "
                                                        "name, or without ECH an address"});
  }
  return connection.first_message();
}

}  // namespace v0
}  // namespace strata::transport
