// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/tunnel_wire.hpp"

#include <algorithm>

#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {
namespace {

constexpr std::string_view connect_word = "CONNECT:";
constexpr std::string_view error_word = "ERROR:";

std::unexpected<std::error_code> failure(transport::errc code) {
  return std::unexpected(make_error_code(code));
}

transport::result<transport::target> parse_target(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  const auto where = transport::target::parse(text);
  if (!where || where->port() == 0) return failure(transport::errc::malformed);
  return *where;
}

/// Names with these would be read as something else at the far end.
bool can_be_written(const transport::target& where) {
  if (!where.is_valid() || where.port() == 0) return false;
  return where.name().find_first_of(":[]|/@") == std::string_view::npos;
}

}  // namespace

transport::result<std::string> make_tunnel_request(const transport::target& where) {
  if (!can_be_written(where)) return failure(transport::errc::invalid_argument);
  return where.string() + '\n';
}

transport::result<std::size_t> tunnel_request_parser::receive(transport::bytes input) {
  if (is_done() || input.empty()) return 0;
  const std::string_view text = transport::as_text(input);
  const std::size_t end = text.find('\n');
  const std::size_t size = end == text.npos ? text.size() : end + 1;
  // One that is longer than this is not there, newline or not.
  if (line_.size() + size > limits::max_tunnel_request)
    return failure(transport::errc::limit_exceeded);
  line_.append(text.substr(0, size));
  if (end == text.npos) return size;
  line_.pop_back();
  const auto done = conclude();
  if (!done) return std::unexpected(done.error());
  return size;
}

transport::result<void> tunnel_request_parser::conclude() {
  const auto where = parse_target(line_);
  if (!where) return std::unexpected(where.error());
  where_ = *where;
  return {};
}

std::optional<tunnel_mode> tunnel_mode_of(transport::websocket_kind kind,
                                          std::string_view first) noexcept {
  if (kind == transport::websocket_kind::binary && first.starts_with('\0'))
    return tunnel_mode::yamux;
  if (kind == transport::websocket_kind::text && first.starts_with(connect_word))
    return tunnel_mode::simple;
  return std::nullopt;
}

transport::result<std::string> make_tunnel_connect(const transport::target& where) {
  if (!can_be_written(where)) return failure(transport::errc::invalid_argument);
  return std::string(connect_word) + where.string() + '|';
}

transport::result<tunnel_connect> parse_tunnel_connect(std::string_view text) {
  if (!text.starts_with(connect_word)) return failure(transport::errc::malformed);
  text.remove_prefix(connect_word.size());
  const std::size_t bar = text.find('|');
  const auto where = parse_target(text.substr(0, bar));
  if (!where) return std::unexpected(where.error());
  return tunnel_connect{*where, bar == text.npos ? std::string_view() : text.substr(bar + 1)};
}

std::string make_tunnel_error(std::string_view why) {
  std::string made(error_word);
  for (const char letter : why.substr(0, limits::max_tunnel_reason))
    made += letter >= ' ' && letter <= '~' ? letter : '?';
  return made;
}

std::optional<std::string_view> parse_tunnel_error(std::string_view text) noexcept {
  if (!text.starts_with(error_word)) return std::nullopt;
  return text.substr(error_word.size());
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
