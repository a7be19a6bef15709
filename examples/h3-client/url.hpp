// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// "https://host:port/path?query", taken apart.
struct url {
  std::string text;
  std::string host;  ///< Without brackets.
  std::uint16_t port = 443;
  std::string authority;
  std::string path;  ///< With the query, without the fragment.

  /// What -O saves to: the last segment of the path; empty when there is none.
  std::string file_name() const;
};

/// Nothing when it is no https URL.
std::optional<url> parse_url(std::string_view text);
