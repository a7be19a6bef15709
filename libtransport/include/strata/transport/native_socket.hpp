// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/address.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {
struct native_socket_access;
}

/// The system's socket under a plain TCP stream, or nothing. It is opaque: the library's own relay
/// splices with it, others may ask for the addresses. Valid as long as the stream.
class STRATA_TRANSPORT_API native_socket {
 public:
  native_socket() = default;
  explicit operator bool() const noexcept { return value_ != none; }
  /// The empty address when there is no socket, or it is not connected any more.
  address local_address() const noexcept;
  address remote_address() const noexcept;

 private:
  friend struct detail::native_socket_access;
  static constexpr std::intptr_t none = -1;
  std::intptr_t value_ = none;
};

}  // namespace v0
}  // namespace strata::transport
