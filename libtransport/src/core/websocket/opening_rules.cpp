// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/opening_rules.hpp"

#include <array>

#include "core/http1/syntax.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {
namespace {

constexpr std::array<std::string_view, 9> handshake_fields{
    key_field, accept_field, version_field,       subprotocol_field, extensions_field,
    "Upgrade", "Connection", "Transfer-Encoding", "Content-Length"};

/// Takes the text up to the next of these marks.
std::string_view take_until(std::string_view& text, std::string_view marks) noexcept {
  const std::string_view taken = text.substr(0, text.find_first_of(marks));
  text.remove_prefix(taken.size());
  return http1::trim(taken);
}

/// A quoted value, which must be a token without its quotes; so it holds no quote of its own.
bool take_quoted(std::string_view& text) noexcept {
  const std::size_t end = text.find('"', 1);
  if (end == text.npos || !http1::is_token(text.substr(1, end - 1))) return false;
  text = http1::trim(text.substr(end + 1));
  return true;
}

bool take_parameter(std::string_view& text) noexcept {
  if (!http1::is_token(take_until(text, "=;,"))) return false;
  if (!text.starts_with('=')) return true;
  text = http1::trim(text.substr(1));
  return text.starts_with('"') ? take_quoted(text) : http1::is_token(take_until(text, ";,"));
}

}  // namespace

bool is_handshake_field(std::string_view name) noexcept {
  for (const std::string_view known : handshake_fields)
    if (http1::equal_ignoring_case(name, known)) return true;
  return false;
}

bool is_extension_list(std::string_view value) noexcept {
  while (true) {
    if (!http1::is_token(take_until(value, ";,"))) return false;
    while (value.starts_with(';')) {
      value.remove_prefix(1);
      if (!take_parameter(value)) return false;
    }
    if (value.empty()) return true;
    if (!value.starts_with(',')) return false;
    value.remove_prefix(1);
  }
}

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
