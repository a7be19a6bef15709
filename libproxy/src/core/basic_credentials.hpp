// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace strata::proxy {
inline namespace v0 {
namespace core {

struct basic_credentials {
  std::string user;
  std::string password;
};

/// The value of a Proxy-Authorization field with the scheme Basic (RFC 7617 section 2). Nothing for
/// another scheme, and for base64 in any but its one canonical form (RFC 4648 section 3.5).
std::optional<basic_credentials> decode_basic_credentials(std::string_view field_value);
/// Nothing for a user or a password that RFC 7617 section 2 forbids: a colon in the name, control
/// characters.
std::optional<std::string> encode_basic_credentials(std::string_view user,
                                                    std::string_view password);

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
