// SPDX-License-Identifier: Apache-2.0
#include "strata/mux/core/error.hpp"

#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace {

const char* text_of(errc code) noexcept {
  switch (code) {
    case errc::bad_version: return "frame of an unknown version";
    case errc::bad_frame_type: return "frame of an unknown type";
    case errc::bad_flags: return "flags that the frame may not have";
    case errc::bad_stream_id: return "stream ID that the frame may not have";
    case errc::stream_id_reused: return "stream ID used twice";
    case errc::window_exceeded: return "more bytes than the window allows";
    case errc::window_overflow: return "window beyond 32 bits";
    case errc::flood: return "too many frames that serve nobody";
    case errc::peer_saw_violation: return "the peer reports a protocol error";
    case errc::peer_failed: return "the peer reports an internal error";
    case errc::keep_alive_expired: return "the peer gave no sign of life";
    case errc::authentication_failed: return "not the password of any user";
    case errc::settings_missing: return "stream opened before the client sent its settings";
    case errc::bad_settings: return "settings that are too long";
    case errc::bad_command: return "frame that only the other end may send";
    case errc::stream_refused: return "the server refused the stream";
    case errc::peer_alert: return "the server ended the session with an alert";
  }
  return "unknown mux error";
}

class mux_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "strata.mux"; }
  std::string message(int code) const override { return text_of(static_cast<errc>(code)); }
  std::error_condition default_error_condition(int code) const noexcept override {
    switch (static_cast<errc>(code)) {
      case errc::peer_saw_violation:
      case errc::peer_alert:
      case errc::peer_failed: return transport::condition::closed;
      case errc::authentication_failed:
      case errc::stream_refused: return transport::condition::refused;
      case errc::keep_alive_expired: return transport::condition::timed_out;
      default: return transport::condition::protocol_error;
    }
  }
};

const char* text_of(close_reason::origin_kind origin) noexcept {
  switch (origin) {
    case close_reason::origin_kind::local_application: return "closed by this side";
    case close_reason::origin_kind::local_session: return "given up by this side";
    case close_reason::origin_kind::peer: return "closed by the peer";
    case close_reason::origin_kind::carrier: return "lost with its carrier";
    case close_reason::origin_kind::timed_out: return "timed out";
  }
  return "closed";
}

}  // namespace

const std::error_category& error_category() noexcept {
  static const mux_category category;
  return category;
}

std::string close_reason::describe() const {
  std::string line = text_of(origin);
  if (origin == origin_kind::peer || code != 0) line += ", Go Away " + std::to_string(code);
  if (cause) line += ": " + cause.message();
  return line;
}

}  // namespace v0
}  // namespace strata::mux
