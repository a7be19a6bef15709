// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace observers {

/// Well-formed UTF-8 (RFC 3629): no overlong forms, surrogates, or values beyond U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// Appends a JSON string. Whatever a peer sent, the result is valid UTF-8 without control
/// characters: those are escaped, and what is no UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Two lower-case digits for each byte, without quotes.
void append_hexadecimal(std::string& out, transport::bytes data);

}  // namespace observers
}  // namespace v0
}  // namespace strata::quic
