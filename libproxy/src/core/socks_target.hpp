// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "strata/transport/core/socks_address.hpp"
#include "strata/transport/target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// The target that a client names. Nothing for a name that somebody behind might take for more than
/// a name (an authority, a URI), and for an IPv6 address with a zone, which is this host's and none
/// of the client's (RFC 4007 section 6).
std::optional<transport::target> target_of_name(std::string_view name, std::uint16_t port);
std::optional<transport::target> target_of(const transport::socks_address& named);
transport::socks_address socks_address_of(const transport::target& where) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
