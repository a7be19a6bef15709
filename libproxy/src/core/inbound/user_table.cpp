// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/user_table.hpp"

#include <algorithm>

#include "core/basic_credentials.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::as_bytes;
using transport::sha256;

transport::result<void> user_table::add(std::string_view name, std::string_view password) {
  constexpr std::size_t longest = 255;
  const auto refused = std::unexpected(make_error_code(transport::errc::invalid_argument));
  if (name.empty() || name.size() > longest || name.find(':') != name.npos) return refused;
  if (password.empty() || password.size() > longest) return refused;
  if (std::ranges::find(users_, name, &user::name) != users_.end()) return refused;
  const auto name_digest = sha256(as_bytes(name));
  const auto password_digest = sha256(as_bytes(password));
  if (!name_digest) return std::unexpected(name_digest.error());
  if (!password_digest) return std::unexpected(password_digest.error());
  users_.push_back({std::string(name), *name_digest, *password_digest});
  return {};
}

bool user_table::matches(std::string_view name, std::string_view password) const {
  // Two digests, not one of both texts: "ab" with "c" is not "a" with "bc".
  const auto name_digest = sha256(as_bytes(name));
  const auto password_digest = sha256(as_bytes(password));
  if (!name_digest || !password_digest) return false;
  unsigned found = 0;
  for (const user& one : users_) {
    // Both, and all users, whatever the first says: the time tells nothing.
    const unsigned same_name = transport::equal_in_constant_time(one.name_digest, *name_digest);
    const unsigned same_password =
        transport::equal_in_constant_time(one.password, *password_digest);
    found |= same_name & same_password;
  }
  return found != 0;
}

std::string user_table::authorized(std::string_view field_value) const {
  auto who = decode_basic_credentials(field_value);
  if (!who || !matches(who->user, who->password)) return {};
  return std::move(who->user);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
