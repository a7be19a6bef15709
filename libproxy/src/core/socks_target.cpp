// SPDX-License-Identifier: Apache-2.0
#include "core/socks_target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::socks_address;
using transport::target;

std::optional<target> target_of_name(std::string_view name, std::uint16_t port) {
  target where(name, port);
  if (!where.is_valid() || where.ip().scope_id() != 0) return std::nullopt;
  if (where.is_name() && name.find_first_of(":[]%/@?#\\") != name.npos) return std::nullopt;
  return where;
}

std::optional<target> target_of(const socks_address& named) {
  return named.is_name() ? target_of_name(named.name, named.port) : target(named.ip);
}

socks_address socks_address_of(const target& where) noexcept {
  return where.is_name() ? socks_address::of(where.name(), where.port())
                         : socks_address::of(where.ip());
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
