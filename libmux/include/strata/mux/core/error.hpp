// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <system_error>

#include "strata/mux/export.hpp"

namespace strata::mux {
inline namespace v0 {

/// What ended a session or a stream, where transport::errc has no word for it.
enum class errc {
  bad_version = 1,        ///< A frame of another version.
  bad_frame_type,         ///< A frame of no known type.
  bad_flags,              ///< Flags that are unknown, or not for this type of frame.
  bad_stream_id,          ///< A stream's frame for the session, the reverse, or the wrong parity.
  stream_id_reused,       ///< A stream was opened with the ID of another.
  window_exceeded,        ///< More bytes than the window allows.
  window_overflow,        ///< A window of 2^32 bytes or more.
  flood,                  ///< Too many frames that serve nobody.
  peer_saw_violation,     ///< The peer says that this side broke the protocol.
  peer_failed,            ///< The peer says that it failed.
  keep_alive_expired,     ///< The peer was silent, and did not answer a ping either.
  authentication_failed,  ///< The client does not know the password of any user.
  settings_missing,       ///< A client opened a stream before it sent its settings.
  bad_settings,           ///< Settings that are too long.
  bad_command,            ///< A frame that only the other end may send.
  stream_refused,         ///< The server could not reach the target; its words are with the stream.
  peer_alert,             ///< The server ends the session, and said why.
};

STRATA_MUX_API const std::error_category& error_category() noexcept;
inline std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

/// The codes of a yamux Go Away frame.
enum class go_away_code : std::uint32_t { normal = 0, protocol_error = 1, internal_error = 2 };

/// Why and by whom a session was ended.
struct close_reason {
  enum class origin_kind : std::uint8_t {
    local_application,  ///< close() here, or go_away() and the last stream's end.
    local_session,      ///< This side found an error of the peer, or ran out of memory.
    peer,               ///< The peer said that it ends the session.
    carrier,            ///< The byte stream below ended or failed.
    timed_out,          ///< The peer was silent for too long.
  };
  origin_kind origin = origin_kind::local_application;
  std::uint32_t code = 0;  ///< Of the Go Away frame that was sent or received; zero without one.
  std::error_code cause;   ///< What operations complete with.

  /// One line for people.
  STRATA_MUX_API std::string describe() const;
};

}  // namespace v0
}  // namespace strata::mux

template <>
struct std::is_error_code_enum<strata::mux::errc> : std::true_type {};
