// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {

/// Of EDNS(0) (RFC 7830).
inline constexpr std::uint16_t padding_option = 12;

/// Why a message was not read or written.
inline std::unexpected<dns_error> refused(errc code, std::string text) {
  return std::unexpected(dns_error{make_error_code(code), "DNS message: " + std::move(text)});
}

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
