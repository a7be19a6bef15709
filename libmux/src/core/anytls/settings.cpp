// SPDX-License-Identifier: Apache-2.0
#include "core/anytls/settings.hpp"

#include <charconv>
#include <limits>

#include "strata/mux/core/limits.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {
namespace {

/// Whoever has a version beyond all numbers also has the last that this side knows.
unsigned version_of(std::string_view text) noexcept {
  unsigned value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool all = end == text.data() + text.size() && !text.empty();
  if (failure == std::errc::result_out_of_range && all) return std::numeric_limits<unsigned>::max();
  return failure == std::errc() && all && value != 0 ? value : 1;
}

}  // namespace

bool settings::parse(std::string_view text) noexcept {
  for (std::size_t lines = 0; !text.empty(); ++lines) {
    if (lines == limits::anytls::max_settings_lines) return false;
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
    const std::size_t mark = line.find('=');
    if (mark == line.npos) continue;
    const std::string_view key = line.substr(0, mark);
    const std::string_view value = line.substr(mark + 1);
    if (key == "v") version = version_of(value);
    if (key == "client") client = value.substr(0, limits::anytls::max_peer_name);
    if (key == "padding-md5") padding_md5 = value;
  }
  return true;
}

std::string client_settings(unsigned version, std::string_view client,
                            std::string_view padding_md5) {
  std::string made = "v=" + std::to_string(version);
  made += "\nclient=";
  for (const char letter : client.substr(0, limits::anytls::max_peer_name))
    if (static_cast<unsigned char>(letter) >= ' ') made += letter;  // No line of its own.
  made += "\npadding-md5=";
  made += padding_md5;
  return made;
}

std::string server_settings(unsigned version) { return "v=" + std::to_string(version); }

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
