// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "strata/mux/core/anytls_config.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

struct anytls_users::content {
  struct entry {
    transport::sha256_digest password;
    std::string name;
  };
  std::vector<entry> all;
};

transport::result<anytls_users> anytls_users::make(std::span<const anytls_user> all) {
  const auto refused = std::unexpected(make_error_code(transport::errc::invalid_argument));
  auto made = std::make_shared<content>();
  for (const anytls_user& one : all) {
    if (one.password.empty()) return refused;
    const auto digest = transport::sha256(transport::as_bytes(one.password));
    if (!digest) return std::unexpected(digest.error());
    if (std::ranges::find(made->all, *digest, &content::entry::password) != made->all.end())
      return refused;
    made->all.push_back({*digest, one.name});
  }
  anytls_users users;
  users.shared_ = std::move(made);
  return users;
}

std::size_t anytls_users::size() const noexcept { return shared_ ? shared_->all.size() : 0; }

std::optional<std::string_view> anytls_users::find(
    const transport::sha256_digest& password) const noexcept {
  std::size_t found = size();
  for (std::size_t i = 0; i < size(); ++i) {
    // The same work for each, found or not.
    const auto hit =
        std::size_t{transport::equal_in_constant_time(shared_->all[i].password, password)};
    found ^= (found ^ i) & (0 - hit);
  }
  if (found == size()) return std::nullopt;
  return shared_->all[found].name;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
