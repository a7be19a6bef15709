// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <system_error>

#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// Why and by whom a connection was closed, whatever its protocol. `code` has wire meaning and fits
/// no std::error_code; its registry is the protocol's or the application's.
struct close_reason {
  enum class origin_kind : std::uint8_t {
    local_application,  ///< close() or async_shutdown() here.
    local_protocol,     ///< This side found an error of the peer's.
    peer_application,   ///< The application there closed it.
    peer_protocol,      ///< The peer found an error, or says that it goes.
    timed_out,          ///< Silence for longer than allowed, or a handshake that did not end.
    carrier,            ///< What carried it is gone.
  };
  origin_kind origin = origin_kind::local_application;
  std::uint64_t code = 0;        ///< 62 bits.
  std::uint64_t frame_type = 0;  ///< QUIC: of the frame at fault.
  std::error_code cause;         ///< What pending operations complete with.
  std::string reason{};          ///< The peer's words: escape them before printing.

  /// One line for people, with unprintable bytes escaped.
  STRATA_TRANSPORT_API std::string describe() const;
};

}  // namespace v0
}  // namespace strata::transport
