// SPDX-License-Identifier: Apache-2.0
#include "tls/ech.hpp"

#include <algorithm>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

const ech_config* first_usable(std::span<const ech_config> configs) {
  const auto found = std::find_if(configs.begin(), configs.end(), [](const ech_config& each) {
    return ech_config_unusable(each).empty();
  });
  return found == configs.end() ? nullptr : &*found;
}

tls_error nothing_usable(std::span<const ech_config> configs) {
  std::string text = "no ECH configuration of the list can be used:";
  for (const ech_config& each : configs)
    text += " " + describe(each) + ": " + ech_config_unusable(each) + ";";
  text.pop_back();
  return {make_error_code(errc::not_supported), text};
}

std::vector<std::string> outer_protocols(const tls_ech_offer& offer,
                                         std::span<const std::string> alpn) {
  if (!offer.outer_alpn.empty() || alpn.empty()) return offer.outer_alpn;
  if (std::find(alpn.begin(), alpn.end(), "h3") != alpn.end()) return {"h3"};
  return {"h2", "http/1.1"};
}

}  // namespace

tls_error ech_unavailable() {
  return {make_error_code(errc::not_supported),
          "Encrypted Client Hello needs OpenSSL 4, and this library was built with an older one"};
}

tls_result<tls_context::prepared_ech> prepare_ech(const tls_ech_offer& offer,
                                                  std::span<const std::string> alpn) {
  const auto configs = read_ech_config_list(offer.config_list);
  if (!configs) return std::unexpected(configs.error());
  const ech_config* const chosen = first_usable(*configs);
  if (chosen == nullptr) return std::unexpected(nothing_usable(*configs));
  tls_context::prepared_ech prepared;
  prepared.config_list = encode_ech_config_list({chosen, 1});
  for (const std::string& protocol : outer_protocols(offer, alpn)) {
    if (protocol.empty() || protocol.size() > max_protocol_size)
      return std::unexpected(invalid_option("outer_alpn: protocols have 1 to 255 bytes"));
    prepared.outer_alpn.push_back(static_cast<unsigned char>(protocol.size()));
    prepared.outer_alpn.insert(prepared.outer_alpn.end(), protocol.begin(), protocol.end());
  }
  return prepared;
}

/// RFC 9849 section 6.1.6: no extension, or nothing in it that can be used, is a secure way to say
/// that ECH is off; what cannot be read says nothing.
ech_status judge_retry_configs(const std::optional<std::vector<std::byte>>& configs) {
  if (!configs) return ech_status::rejected;
  const auto parsed = parse_ech_config_list(*configs);
  if (!parsed) return ech_status::failed;
  return first_usable(*parsed) == nullptr ? ech_status::rejected : ech_status::rejected_with_retry;
}

}  // namespace v0
}  // namespace strata::transport
