// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <optional>

#include "strata/mux/core/anytls_uri.hpp"
#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

constexpr std::string_view scheme = "anytls://";

bool is_ip(std::string_view host) { return transport::address::parse_ip(host, 0).has_value(); }

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

std::optional<unsigned> hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  const char letter = lower(digit);
  if (letter >= 'a' && letter <= 'f') return static_cast<unsigned>(letter - 'a' + 10);
  return std::nullopt;
}

bool decode_percent(std::string_view text, std::string& to) {
  to.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      to += text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
    if (!low) return false;
    to += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  return true;
}

/// All but what RFC 3986 section 2.3 calls unreserved.
std::string encode_percent(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string made;
  for (const char letter : text) {
    const char folded = lower(letter);
    const bool plain = (folded >= 'a' && folded <= 'z') || (letter >= '0' && letter <= '9') ||
                       std::string_view("-._~").contains(letter);
    if (plain) {
      made += letter;
      continue;
    }
    made += '%';
    made += digits[static_cast<unsigned char>(letter) >> 4];
    made += digits[static_cast<unsigned char>(letter) & 15];
  }
  return made;
}

/// Takes what stands behind the first `mark` off `text`; nothing when there is no mark.
std::optional<std::string_view> split_off(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == text.npos) return std::nullopt;
  const std::string_view behind = text.substr(at + 1);
  text = text.substr(0, at);
  return behind;
}

bool parse_port(std::string_view digits, std::uint16_t& port) {
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return failure == std::errc() && end == digits.data() + digits.size() && port != 0;
}

bool may_be_host(std::string_view name) {
  constexpr std::size_t longest = 255;
  return !name.empty() && name.size() <= longest && std::ranges::none_of(name, [](char letter) {
    return static_cast<unsigned char>(letter) <= ' ' || letter == 0x7f ||
           std::string_view("[]:%@\\").contains(letter);
  });
}

bool parse_host(std::string_view text, anytls_uri& to) {
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    text.remove_prefix(1);
    const auto behind = split_off(text, ']');
    if (!behind || !is_ip(text) || !text.contains(':')) return false;
    if (!behind->empty() && !behind->starts_with(':')) return false;
    if (!behind->empty()) port = behind->substr(1);
  } else {
    port = split_off(text, ':');
    if (!may_be_host(text)) return false;
  }
  to.host = text;
  return !port || parse_port(*port, to.port);
}

bool parse_query(std::string_view query, anytls_uri& to) {
  while (!query.empty()) {
    std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), one.size() + 1));
    const std::string_view value = split_off(one, '=').value_or("");
    if (one == "sni" && !decode_percent(value, to.sni)) return false;
    if (one == "insecure" && value != "0" && value != "1") return false;
    if (one == "insecure") to.insecure = value == "1";
  }
  return true;
}

}  // namespace

transport::result<anytls_uri> anytls_uri::parse(std::string_view text) {
  const auto malformed = std::unexpected(make_error_code(transport::errc::malformed));
  if (text.size() > limits::anytls::max_uri)
    return std::unexpected(make_error_code(transport::errc::limit_exceeded));
  if (text.size() < scheme.size() ||
      !std::ranges::equal(text.substr(0, scheme.size()), scheme, {}, lower))
    return malformed;
  text.remove_prefix(scheme.size());
  anytls_uri made;
  const std::string_view label = split_off(text, '#').value_or("");
  const std::string_view query = split_off(text, '?').value_or("");
  const std::string_view path = split_off(text, '/').value_or("");
  const std::size_t at = text.rfind('@');
  if (at != text.npos && !decode_percent(text.substr(0, at), made.password)) return malformed;
  if (at != text.npos) text.remove_prefix(at + 1);
  if (!path.empty() || !parse_host(text, made) || !parse_query(query, made) ||
      !decode_percent(label, made.label))
    return malformed;
  return made;
}

std::string anytls_uri::string() const {
  std::string made(scheme);
  if (!password.empty()) made += encode_percent(password) + '@';
  made += host.contains(':') ? '[' + host + ']' : host;
  if (port != default_port) made += ':' + std::to_string(port);
  made += '/';
  if (!sni.empty()) made += "?sni=" + encode_percent(sni);
  if (insecure) made += sni.empty() ? "?insecure=1" : "&insecure=1";
  if (!label.empty()) made += '#' + encode_percent(label);
  return made;
}

std::string_view anytls_uri::server_name() const noexcept {
  const std::string_view name = sni.empty() ? host : sni;
  return is_ip(name) ? std::string_view() : name;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
