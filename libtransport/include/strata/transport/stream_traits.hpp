// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace strata::transport {
inline namespace v0 {

/// What a carrier of byte streams can do. Ask for it; never infer a behaviour from the type of a
/// stream.
struct stream_traits {
  bool half_close = false;     ///< One direction can end while the other goes on.
  bool reset_visible = false;  ///< The peer can tell a reset from an end.
  bool reset_code = false;     ///< The code of a reset reaches the peer.
  bool proves_end =
      false;  ///< An `eof` is the word of the peer, not only of a kernel or a middlebox.

  friend bool operator==(const stream_traits&, const stream_traits&) = default;
};

/// The codes that the peer gave when it abandoned a direction; empty before, and on carriers
/// without codes.
struct peer_codes {
  std::optional<std::uint64_t> reset;    ///< With errc::stream_reset.
  std::optional<std::uint64_t> stopped;  ///< With errc::write_stopped.
};

/// The code that destroying an unfinished stream resets it with.
inline constexpr std::uint64_t stream_cancelled = 0;

}  // namespace v0
}  // namespace strata::transport
