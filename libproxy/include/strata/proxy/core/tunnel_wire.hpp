// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "strata/proxy/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/core/websocket_connection.hpp"
#include "strata/transport/target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// How a tunnel over WebSocket carries streams.
enum class tunnel_mode : std::uint8_t {
  yamux,   ///< Many in a yamux session of binary messages; each begins with a line of text.
  simple,  ///< One, behind a CONNECT in a text message.
};

/// The first thing on a yamux stream: "host:port", and a newline. There is no answer: bytes are
/// one, and so is the end. invalid_argument for a target that cannot be written.
STRATA_PROXY_API transport::result<std::string> make_tunnel_request(const transport::target& where);

/// Reads that line. Peers read it at once and take what has come for the whole when there is no
/// newline in it, so a client may leave that out: conclude() then.
class STRATA_PROXY_API tunnel_request_parser {
 public:
  /// Takes what belongs to the line, and says how much. limit_exceeded beyond
  /// limits::max_tunnel_request, malformed for what is no target.
  transport::result<std::size_t> receive(transport::bytes input);
  /// What has come is all.
  transport::result<void> conclude();
  bool is_done() const noexcept { return where_.has_value(); }
  bool is_empty() const noexcept { return line_.empty(); }
  const transport::target& where() const noexcept { return *where_; }

 private:
  std::string line_;
  std::optional<transport::target> where_;
};

/// What the first bytes of the first message in a tunnel begin; nothing for neither mode. Yamux's
/// first byte is its version, zero.
STRATA_PROXY_API std::optional<tunnel_mode> tunnel_mode_of(transport::websocket_kind kind,
                                                           std::string_view first) noexcept;

// Simple mode. These are text messages; what a tunnel carries is in binary ones, whatever it looks
// like.

inline constexpr std::string_view tunnel_connected = "CONNECTED";
inline constexpr std::string_view tunnel_close = "CLOSE";

struct tunnel_connect {
  transport::target where;
  std::string_view initial;  ///< The client's first bytes, if it had any: text, so UTF-8.
};

/// A CONNECT without initial bytes: those could be no text.
STRATA_PROXY_API transport::result<std::string> make_tunnel_connect(const transport::target& where);
/// malformed for any other text; `initial` points into it.
STRATA_PROXY_API transport::result<tunnel_connect> parse_tunnel_connect(std::string_view text);
/// Printable ASCII of at most limits::max_tunnel_reason bytes.
STRATA_PROXY_API std::string make_tunnel_error(std::string_view why);
/// Why a CONNECT failed; nothing for any other text.
STRATA_PROXY_API std::optional<std::string_view> parse_tunnel_error(std::string_view text) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
