// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <system_error>

#include "strata/proxy/export.hpp"

namespace strata::proxy {
inline namespace v0 {

/// What ended a client's connection or a dial, where transport::errc has no word for it.
enum class errc {
  authentication_failed = 1,  ///< The client does not know the password of any user.
  authentication_required,    ///< The proxy that was dialled through wants a user and a password.
  unknown_protocol,           ///< Neither SOCKS nor HTTP, or one that is not offered here.
  not_allowed,                ///< A rule or the address filter forbids the target.
  upstream_failed,            ///< The proxy that was dialled through failed or refused.
  command_not_supported,      ///< Of SOCKS: BIND and UDP ASSOCIATE are not offered everywhere.
  no_outbound,                ///< No member of a group is alive.
  ech_unavailable,   ///< DNS has no configuration for Encrypted Client Hello that can be used.
  upstream_resting,  ///< The tunnel's server failed lately: it is not asked again for a while.
};

STRATA_PROXY_API const std::error_category& error_category() noexcept;
inline std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

/// Why a request is not granted. Each protocol has its own words for it: RFC 1928 section 6, the
/// status codes of RFC 9110.
enum class refusal : std::uint8_t {
  general_failure,        ///< SOCKS5 1, HTTP 502.
  not_allowed,            ///< 2, 403.
  network_unreachable,    ///< 3, 502.
  host_unreachable,       ///< 4, 502; names that are not found, too.
  connection_refused,     ///< 5, 502.
  timed_out,              ///< 6 (TTL expired), 504.
  command_not_supported,  ///< 7, 405.
  address_not_supported,  ///< 8, 400.
  overloaded,             ///< 1, 503: a limit of this proxy.
};

/// What a client is told of a dial that failed.
STRATA_PROXY_API refusal refusal_of(const std::error_code& failure) noexcept;
/// The other way: what a dial through another proxy failed with.
STRATA_PROXY_API std::error_code error_of(refusal why) noexcept;
/// A few words for people.
STRATA_PROXY_API const char* text_of(refusal why) noexcept;

}  // namespace v0
}  // namespace strata::proxy

template <>
struct std::is_error_code_enum<strata::proxy::errc> : std::true_type {};
