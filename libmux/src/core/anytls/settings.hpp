// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

/// What an end says of itself in Settings or ServerSettings: lines `key=value`.
struct settings {
  unsigned version = 1;  ///< 1 where none is given that means anything.
  std::string_view client{};
  std::string_view padding_md5{};

  /// Lines without `=` and unknown keys are passed over; of a key given twice the last one counts.
  /// False: more lines than limits::anytls::max_settings_lines.
  bool parse(std::string_view text) noexcept;
};

std::string client_settings(unsigned version, std::string_view client,
                            std::string_view padding_md5);
std::string server_settings(unsigned version);

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
