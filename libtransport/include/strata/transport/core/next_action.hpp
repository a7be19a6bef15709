// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <system_error>

#include "strata/transport/core/bytes.hpp"

namespace strata::transport {
inline namespace v0 {

/// What the core of an opening handshake wants from its driver. Every such core has the shape
///
///   next_action next();                      what is wanted now; the same until it was done
///   std::size_t receive(bytes input);        takes what is the handshake's and says how much that
///                                            was; what is left belongs to the protocol after it
///   void sent(std::size_t size);             the carrier took so many bytes of next().output
///   void receive_end();                      the carrier ended
///
/// and a driver is a loop: ask next(), do it, ask again. Deadlines are the driver's.
struct next_action {
  enum class kind_type : std::uint8_t {
    need_input,  ///< Read from the carrier, then receive() or receive_end().
    send,        ///< Write `output`, then sent().
    /// The owner has to answer what the core shows (a request to be accepted); nothing is read or
    /// written until it has.
    need_decision,
    done,    ///< The handshake is over; the carrier belongs to what comes after it.
    failed,  ///< It is over for the reason `error`: close the carrier. All output has been sent.
  };

  kind_type kind = kind_type::need_input;
  bytes output{};           ///< Lent until the next call of the core.
  std::error_code error{};  ///< With `failed`.
};

}  // namespace v0
}  // namespace strata::transport
