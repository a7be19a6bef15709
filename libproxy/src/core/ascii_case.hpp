// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string_view>

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// ASCII letters only, as names of fields and schemes are compared.
constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
