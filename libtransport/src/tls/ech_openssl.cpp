// SPDX-License-Identifier: Apache-2.0
// With OpenSSL 4.
#include <openssl/ech.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <set>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"
#include "tls/certificate_verification.hpp"
#include "tls/ech.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

using store_handle = std::unique_ptr<OSSL_ECHSTORE, openssl_deleter<&OSSL_ECHSTORE_free>>;
using openssl_text = std::unique_ptr<char, decltype([](char* text) { OPENSSL_free(text); })>;

constexpr std::uint8_t encrypted_extensions = 8;  // RFC 8446 appendix B.3.
constexpr std::uint8_t ech_required = 121;        // RFC 9849 section 11.2.
constexpr const char* config_label = "ECHCONFIG";

/// What a client remembers of its offer until the server has answered.
struct open_offer {
  std::vector<unsigned char> outer_alpn;
  std::optional<std::vector<std::byte>> retry_configs;
};

void forget_offer(void*, void* offer, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<open_offer*>(offer);
}

int offer_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, forget_offer);
  return index;
}

open_offer* offer_of(SSL* session) {
  return static_cast<open_offer*>(SSL_get_ex_data(session, offer_index()));
}

/// The content of an extension in EncryptedExtensions, the message header included.
std::optional<std::vector<std::byte>> extension_in(bytes message, std::uint16_t type) {
  buffer_reader reader(message);
  reader.skip(1 + 3);
  buffer_reader list(reader.take(reader.u16()));
  while (!list.empty()) {
    const std::uint16_t each = list.u16();
    const bytes content = list.take(list.u16());
    if (list.ok() && each == type) return std::vector<std::byte>(content.begin(), content.end());
  }
  return std::nullopt;
}

/// Sees the server's EncryptedExtensions before OpenSSL reads them, for two reasons. Of
/// retry_configs OpenSSL gives out only those lists of which it can use every one, while servers
/// are told to put in some that nobody can (RFC 9849 section 6.2.2). And after a rejection it wants
/// the protocol to be one of the inner hello's, which are not what was shown.
void see_message(int sent, int, int content_type, const void* data, std::size_t size, SSL* session,
                 void*) {
  if (sent != 0 || content_type != SSL3_RT_HANDSHAKE || size == 0) return;
  const bytes message(static_cast<const std::byte*>(data), size);
  open_offer* const offer = offer_of(session);
  if (offer == nullptr || message.front() != std::byte{encrypted_extensions}) return;
  if (ech_status_of(session) == ech_status::accepted) return;
  try {
    offer->retry_configs = extension_in(message, ech_version);
  } catch (...) {
    offer->retry_configs.emplace();  // Cannot be read, so that nothing is concluded from it.
  }
  if (!offer->outer_alpn.empty()) {
    SSL_set_alpn_protos(session, offer->outer_alpn.data(),
                        static_cast<unsigned>(offer->outer_alpn.size()));
  }
}

bio_handle reader_of(bytes content) {
  return bio_handle(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
}

/// The ECHConfigList of a PEM file.
tls_result<std::vector<ech_config>> configs_in_pem(const std::string& text) {
  const bio_handle bio = reader_of(as_bytes(text));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* content = nullptr;
  long size = 0;
  tls_result<std::vector<ech_config>> out =
      std::unexpected(invalid_option("it has no part that begins with -----BEGIN ECHCONFIG-----"));
  while (bio && PEM_read_bio(bio.get(), &name, &header, &content, &size) == 1) {
    if (std::string_view(name) == config_label) {
      out = parse_ech_config_list(
          {reinterpret_cast<const std::byte*>(content), static_cast<std::size_t>(size)});
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(content, static_cast<std::size_t>(size));
  }
  ERR_clear_error();
  return out;
}

tls_error about_key(const tls_ech_key& key, const tls_error& why) {
  return {why.code, "the ECH key " + place_of(key.pem) + ": " + why.text};
}

/// Adds one key; `ids` are those that are there already.
tls_result<void> add_key(OSSL_ECHSTORE* store, const tls_ech_key& key,
                         std::multiset<std::uint8_t>& ids) {
  const auto text = read_pem(key.pem, "ECH key");
  if (!text) return std::unexpected(text.error());
  const auto configs = configs_in_pem(*text);
  if (!configs) return std::unexpected(about_key(key, configs.error()));
  for (const ech_config& each : *configs) {
    const std::string unusable = ech_config_unusable(each);
    if (!unusable.empty()) return std::unexpected(about_key(key, invalid_option(unusable)));
    ids.insert(each.config_id);
  }
  const bio_handle bio = reader_of(as_bytes(*text));
  int keys_before = 0;
  int keys = 0;
  ERR_clear_error();
  const bool read =
      bio && OSSL_ECHSTORE_num_keys(store, &keys_before) == 1 &&
      OSSL_ECHSTORE_read_pem(store, bio.get(),
                             key.offered ? OSSL_ECH_FOR_RETRY : OSSL_ECH_NO_RETRY) == 1;
  if (!read)
    return std::unexpected(about_key(key, openssl_failure("the TLS library cannot read it")));
  if (OSSL_ECHSTORE_num_keys(store, &keys) == 1 && keys > keys_before) return {};
  return std::unexpected(about_key(
      key, invalid_option("it has no private key that fits its ECHCONFIG (-----BEGIN PRIVATE "
                          "KEY----- comes first)")));
}

ech_status server_status(int status) {
  switch (status) {
    case SSL_ECH_STATUS_SUCCESS:
    case SSL_ECH_STATUS_BAD_NAME: return ech_status::accepted;
    case SSL_ECH_STATUS_GREASE:
    case SSL_ECH_STATUS_GREASE_ECH: return ech_status::grease;
    default: return ech_status::not_tried;
  }
}

ech_status client_status(int status) {
  switch (status) {
    // The second means that the certificate of the hidden name is bad, in a handshake that has
    // failed or has not got there yet: who goes on asks the verification's result as well.
    case SSL_ECH_STATUS_SUCCESS:
    case SSL_ECH_STATUS_BAD_NAME: return ech_status::accepted;
    case SSL_ECH_STATUS_GREASE:
    case SSL_ECH_STATUS_GREASE_ECH: return ech_status::grease;
    case SSL_ECH_STATUS_NOT_TRIED:
    case SSL_ECH_STATUS_NOT_CONFIGURED: return ech_status::not_tried;
    default: return ech_status::failed;
  }
}

/// An inner hello comes out of an outer one and never from the network, where OpenSSL takes it for
/// one that another server has opened and confirms ECH (RFC 9849 section 7).
int refuse_inner_hello(SSL* session, int* alert, void*) {
  char* inner = nullptr;
  char* outer = nullptr;
  const int status = SSL_ech_get1_status(session, &inner, &outer);
  const openssl_text free_inner(inner);
  const openssl_text free_outer(outer);
  if (status != SSL_ECH_STATUS_BACKEND) return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_ILLEGAL_PARAMETER;
  return SSL_CLIENT_HELLO_ERROR;
}

}  // namespace

bool ech_available() noexcept { return true; }

tls_result<ech_key_pair> make_ech_key(std::string_view public_name,
                                      std::uint8_t maximum_name_length) {
  if (!is_ech_public_name(public_name)) {
    return std::unexpected(invalid_option("the public name \"" + std::string(public_name) +
                                          "\" is not a DNS name of letters, digits and hyphens"));
  }
  const library_handle library(OSSL_LIB_CTX_new());
  const provider_handle provider(library ? OSSL_PROVIDER_load(library.get(), "default") : nullptr);
  const store_handle store(provider ? OSSL_ECHSTORE_new(library.get(), nullptr) : nullptr);
  const bio_handle bio(BIO_new(BIO_s_mem()));
  const std::string name(public_name);
  ERR_clear_error();
  if (!store || !bio ||
      OSSL_ECHSTORE_new_config(store.get(), OSSL_ECH_CURRENT_VERSION, maximum_name_length,
                               name.c_str(), OSSL_HPKE_SUITE_DEFAULT) != 1 ||
      OSSL_ECHSTORE_write_pem(store.get(), OSSL_ECHSTORE_LAST, bio.get()) != 1) {
    return std::unexpected(openssl_failure("the TLS library cannot make an ECH key"));
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  ech_key_pair out;
  out.pem.assign(text, static_cast<std::size_t>(size));
  const auto configs = configs_in_pem(out.pem);
  if (!configs) return std::unexpected(configs.error());
  out.config_list = encode_ech_config_list(*configs);
  return out;
}

bool offer_ech(SSL* session, const tls_context::prepared_ech& offer) {
  const bio_handle list = reader_of(offer.config_list);
  const store_handle store(OSSL_ECHSTORE_new(implementation_of(session).library, nullptr));
  auto remembered = std::make_unique<open_offer>(open_offer{offer.outer_alpn, std::nullopt});
  // A ClientHello that offers 1.2 as well is refused by some (Go), and 1.2 cannot do ECH.
  if (!list || !store || SSL_set_min_proto_version(session, TLS1_3_VERSION) != 1 ||
      OSSL_ECHSTORE_read_echconfiglist(store.get(), list.get()) != 1 ||
      SSL_set1_echstore(session, store.get()) != 1)
    return false;
  if (!offer.outer_alpn.empty() && SSL_ech_set1_outer_alpn_protos(session, offer.outer_alpn.data(),
                                                                  offer.outer_alpn.size()) != 1)
    return false;
  if (SSL_set_ex_data(session, offer_index(), remembered.get()) != 1) return false;
  remembered.release();
  SSL_set_msg_callback(session, see_message);
  return true;
}

bool imitate_ech(SSL* session) {
  SSL_set_options(session, SSL_OP_ECH_GREASE);
  return true;
}

tls_result<void> set_ech_keys(context_settings& settings, const tls_server_options& options) {
  SSL_CTX_set_client_hello_cb(settings.native(), refuse_inner_hello, nullptr);
  if (options.ech_keys.empty()) return {};
  const store_handle store(OSSL_ECHSTORE_new(settings.made->library, nullptr));
  std::multiset<std::uint8_t> ids;
  for (const tls_ech_key& key : options.ech_keys) {
    auto done = store ? add_key(store.get(), key, ids)
                      : std::unexpected(openssl_failure("cannot keep ECH keys"));
    if (!done) return done;
  }
  const auto twice = std::adjacent_find(ids.begin(), ids.end());
  if (twice != ids.end() && !options.ech_trial_decryption) {
    return std::unexpected(invalid_option(
        "two ECH keys share the ID " + std::to_string(*twice) +
        ", so that one of them would never be tried: make another, or set ech_trial_decryption"));
  }
  if (options.ech_trial_decryption) SSL_CTX_set_options(settings.native(), SSL_OP_ECH_TRIALDECRYPT);
  if (SSL_CTX_set1_echstore(settings.native(), store.get()) == 1) return {};
  return std::unexpected(openssl_failure("the TLS library refuses the ECH keys"));
}

ech_status ech_status_of(SSL* session) {
  char* inner = nullptr;
  char* outer = nullptr;
  const int status = SSL_ech_get1_status(session, &inner, &outer);
  const openssl_text free_inner(inner);
  const openssl_text free_outer(outer);
  ERR_clear_error();
  return SSL_is_server(session) == 1 ? server_status(status) : client_status(status);
}

bool is_ech_error(unsigned long code) {
  return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_ECH_REQUIRED;
}

/// Without authentication for the public name nothing may be concluded, and no retry_configs used
/// (RFC 9849 section 6.1.6).
ech_rejection ech_rejection_of(SSL* session, std::optional<std::uint8_t> alert_sent) {
  // This alert is sent when everything else was in order, and the same error stands for others.
  const bool proven = alert_sent == ech_required && SSL_get_verify_result(session) == X509_V_OK &&
                      !implementation_of(session).verification.skip;
  if (!proven) return {};
  ech_rejection out;
  const open_offer* const offer = offer_of(session);
  if (offer == nullptr) return out;
  out.status = judge_retry_configs(offer->retry_configs);
  if (out.status == ech_status::rejected_with_retry) out.retry_configs = *offer->retry_configs;
  return out;
}

}  // namespace v0
}  // namespace strata::transport
