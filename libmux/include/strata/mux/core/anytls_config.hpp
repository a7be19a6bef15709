// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "strata/mux/core/anytls_padding.hpp"
#include "strata/mux/core/limits.hpp"
#include "strata/mux/core/role.hpp"
#include "strata/mux/export.hpp"
#include "strata/transport/core/digest.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

struct anytls_user {
  std::string name;  ///< For logs and rules; never on the wire.
  std::string password;
};

/// Whom a server lets in. Immutable, and cheap to copy: copies share it.
class STRATA_MUX_API anytls_users {
 public:
  /// Nobody.
  anytls_users() = default;
  /// invalid_argument for an empty password, or for two users with one password.
  static transport::result<anytls_users> make(std::span<const anytls_user> all);

  std::size_t size() const noexcept;
  /// Compares with every user, whichever it is, and in constant time, because the SHA-256 of a
  /// password is as good as the password (A06).
  std::optional<std::string_view> find(const transport::sha256_digest& password) const noexcept;

 private:
  struct content;
  std::shared_ptr<const content> shared_;
};

/// What happens when a stream has more unread bytes than it may. anytls has no flow control, so
/// that there is nothing between these two.
enum class anytls_overflow : std::uint8_t {
  /// That stream is ended, so that the others go on. One that is alone holds nobody up: the carrier
  /// is not read until the application has read.
  reset_stream,
  stop_reading,  ///< The carrier is not read, and all streams wait for the application.
};

/// What an anytls session is to be like. Sizes are in bytes; a time of zero means never. Values
/// that make no sense are moved to the nearest that does.
struct anytls_config {
  mux::role role = role::client;
  /// The highest version of the protocol this side speaks: 1 or 2. What is used is the lower of
  /// both ends, and 1 until the other has said what it speaks.
  unsigned version = 2;
  /// A client uses it, and a server makes its clients use it.
  anytls_padding_scheme padding = anytls_padding_scheme::standard();

  // Of a client.
  transport::sha256_digest password{};  ///< transport::sha256() of it.
  std::string client_name = "strata";   ///< What a server is told, as "name/version".

  // Of a server.
  anytls_users users;
  /// A carrier that does not begin with a user's password is given back with every byte (event
  /// `fallback`), so that somebody else may serve it. Without, it is read and ignored until the
  /// time for authentication is over: so all that fails looks alike.
  bool fallback = false;
  /// How long a client has to authenticate itself, padding included.
  std::chrono::milliseconds authentication_timeout = limits::anytls::authentication_timeout;
  /// A stream that the application has neither acknowledged nor refused in this time is
  /// acknowledged all the same: clients of others end the whole session after three seconds.
  std::chrono::milliseconds report_timeout = limits::anytls::report_timeout;
  /// A session without streams for so long is ended.
  std::chrono::milliseconds idle_timeout = limits::anytls::idle_timeout;

  // Streams.
  std::size_t max_streams = limits::anytls::max_streams;
  std::size_t accept_backlog = limits::anytls::accept_backlog;
  std::size_t max_unread = limits::anytls::max_unread;                  ///< Of one stream.
  std::size_t max_session_unread = limits::anytls::max_session_unread;  ///< max_unread at least.
  anytls_overflow overflow = anytls_overflow::reset_stream;

  std::size_t frame_payload = limits::anytls::frame_payload;
  std::size_t write_watermark = limits::anytls::write_watermark;
  std::size_t max_unsent = limits::anytls::max_unsent;

  // Signs of life, in version 2. Whatever comes is one.
  /// Silence of the peer after which it is asked, ...
  std::chrono::milliseconds heartbeat_interval = limits::anytls::heartbeat_interval;
  /// ... and how long it has for any byte. When bytes of streams were sent meanwhile, its answer
  /// may be behind a stream that its application does not read: then it has
  /// limits::anytls::stall_timeout, if that is longer.
  std::chrono::milliseconds heartbeat_timeout = limits::anytls::heartbeat_timeout;

  // Of a client, in version 2: an answer to the opening of a stream.
  /// A session that is silent for so long after a stream was opened is dead.
  std::chrono::milliseconds liveness_timeout = limits::anytls::liveness_timeout;
  /// How long the server has to say that the stream is open. Then the stream fails with timed_out,
  /// and the session too if it was silent all the time.
  std::chrono::milliseconds synack_timeout = limits::anytls::synack_timeout;

  /// A client that has finished waits for the end of what it reads before it says so, because that
  /// ends both directions; but only for so long since the last byte, ...
  std::chrono::milliseconds finish_hold = limits::anytls::finish_hold;
  /// ... and only for so long when the last bytes before it finished were the peer's: whoever
  /// finishes behind an answer has gone, as a rule, and who finishes before it waits for it.
  std::chrono::milliseconds answered_hold = limits::anytls::answered_hold;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
