// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "strata/mux/export.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/core/socks_address.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// UDP over a proxied stream, as sing-box has it: a stream to a name that does not exist asks for
/// it, and then carries datagrams in both directions. Version 2 begins with a request; clients send
/// it together with the first datagram, so nothing may be expected before that.
namespace udp_over_tcp {

inline constexpr std::string_view name_v1 = "sp.udp-over-tcp.arpa";
inline constexpr std::string_view name_v2 = "sp.v2.udp-over-tcp.arpa";

/// 1 or 2 when a stream to that name asks for it; the port means nothing.
STRATA_MUX_API std::optional<unsigned> version_of(std::string_view name) noexcept;

/// Of version 2.
struct request {
  /// All datagrams go to and come from `destination`, which they do not repeat. Otherwise each has
  /// an address, and this one is where the first is to go.
  bool connects = false;
  transport::socks_address destination{};

  friend bool operator==(const request&, const request&) = default;
};

/// No bytes: the input ends too early. What is decoded refers to the input.
struct decoded_request {
  request value{};
  std::size_t size = 0;
};
struct decoded_datagram {
  transport::socks_address peer{};  ///< Where to, or where from; none where all have the same.
  transport::bytes payload{};       ///< May be empty: an empty datagram is one.
  std::size_t size = 0;
};

/// How datagrams are framed: with addresses in version 1, and in version 2 unless the request says
/// that it connects.
enum class framing : std::uint8_t { addressed, connected };
inline framing framing_of(const request& asked) noexcept {
  return asked.connects ? framing::connected : framing::addressed;
}

inline constexpr std::size_t max_payload = 65535;
inline constexpr std::size_t max_header_size = transport::socks_address::max_encoded_size + 2;
inline constexpr std::size_t max_request_size = transport::socks_address::max_encoded_size + 1;

/// errc::malformed: a flag that is neither 0 nor 1, or no address.
STRATA_MUX_API transport::result<decoded_request> decode_request(transport::bytes input) noexcept;
STRATA_MUX_API transport::result<decoded_datagram> decode_datagram(transport::bytes input,
                                                                   framing framed) noexcept;

/// The writer fails when the address cannot be encoded or is missing.
STRATA_MUX_API void encode(const request& value, transport::buffer_writer& to) noexcept;
/// What goes in front of the `size` bytes of a datagram. `peer` is of no account for `connected`.
/// The writer fails as above, and beyond max_payload.
STRATA_MUX_API void encode_header(const transport::socks_address& peer, std::size_t size,
                                  framing framed, transport::buffer_writer& to) noexcept;

}  // namespace udp_over_tcp
}  // namespace core
}  // namespace v0
}  // namespace strata::mux
