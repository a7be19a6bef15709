// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The descriptions that this library itself sends: RFC 8446 section 6, RFC 7301 section 3.2.
namespace tls_alert {

inline constexpr std::uint8_t unexpected_message = 10;
inline constexpr std::uint8_t illegal_parameter = 47;
inline constexpr std::uint8_t decode_error = 50;
inline constexpr std::uint8_t decrypt_error = 51;
inline constexpr std::uint8_t missing_extension = 109;
inline constexpr std::uint8_t no_application_protocol = 120;

}  // namespace tls_alert
}  // namespace core
}  // namespace v0
}  // namespace strata::quic
