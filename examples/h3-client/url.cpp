// SPDX-License-Identifier: Apache-2.0
#include "url.hpp"

#include <algorithm>
#include <charconv>

std::string url::file_name() const {
  const std::string_view plain = std::string_view(path).substr(0, path.find('?'));
  const std::string_view name = plain.substr(plain.rfind('/') + 1);
  return name == "." || name == ".." ? std::string() : std::string(name);
}

std::optional<url> parse_url(std::string_view text) {
  constexpr std::string_view scheme = "https://";
  url out{.text = std::string(text)};
  if (!text.starts_with(scheme)) return std::nullopt;
  text = text.substr(0, text.find('#')).substr(scheme.size());
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  out.path = text.substr(end);
  if (!out.path.starts_with('/')) out.path.insert(0, "/");
  authority.remove_prefix(authority.rfind('@') + 1);  // no passwords in URLs
  out.authority = authority;

  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || stop != port.data() + port.size() || out.port == 0)
      return std::nullopt;
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  out.host = authority;
  const bool forged = std::ranges::any_of(text, [](char c) { return c <= ' ' || c == 127; });
  if (out.host.empty() || forged) return std::nullopt;
  return out;
}
