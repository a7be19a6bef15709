// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "strata/proxy/export.hpp"
#include "strata/transport/core/digest.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// Who may use a proxy. Passwords are kept as digests; how long a look takes tells neither whether
/// a user exists nor how much of a password was right.
class STRATA_PROXY_API user_table {
 public:
  /// 1 to 255 bytes each (RFC 1929 section 2), and no colon in the name (RFC 7617 section 2).
  /// invalid_argument for others and for a name that is there already.
  transport::result<void> add(std::string_view name, std::string_view password);
  bool matches(std::string_view name, std::string_view password) const;
  /// The value of an Authorization or Proxy-Authorization field: Basic only (RFC 7617). The name
  /// of the user; empty when it is nobody's.
  std::string authorized(std::string_view field_value) const;
  bool empty() const noexcept { return users_.empty(); }
  std::size_t size() const noexcept { return users_.size(); }

 private:
  struct user {
    std::string name;
    transport::sha256_digest name_digest;
    transport::sha256_digest password;
  };
  std::vector<user> users_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
