// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "strata/h3/core/known_field.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {

/// RFC 9204 appendix A.
inline constexpr std::size_t static_table_size = 99;

struct static_entry {
  known_field id;
  std::string_view name;
  std::string_view value;
};

/// The entry, or null when the table has none of that index.
const static_entry* static_entry_at(std::uint64_t index) noexcept;

struct static_match {
  enum kind_type : std::uint8_t { none, name, whole };
  kind_type kind = none;
  std::uint8_t index = 0;
};

/// The entry of this name and value, else the first of this name, else none.
static_match find_static(known_field id, std::string_view value) noexcept;

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
