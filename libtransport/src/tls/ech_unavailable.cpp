// SPDX-License-Identifier: Apache-2.0
// With an OpenSSL before 4.
#include "tls/ech.hpp"

namespace strata::transport {
inline namespace v0 {
bool ech_available() noexcept { return false; }

tls_result<ech_key_pair> make_ech_key(std::string_view, std::uint8_t) {
  return std::unexpected(ech_unavailable());
}

bool offer_ech(SSL*, const tls_context::prepared_ech&) { return false; }
bool imitate_ech(SSL*) { return false; }

tls_result<void> set_ech_keys(context_settings&, const tls_server_options& options) {
  if (options.ech_keys.empty()) return {};
  return std::unexpected(ech_unavailable());
}

ech_status ech_status_of(SSL*) { return ech_status::not_tried; }
bool is_ech_error(unsigned long) { return false; }
ech_rejection ech_rejection_of(SSL*, std::optional<std::uint8_t>) { return {}; }

}  // namespace v0
}  // namespace strata::transport
