// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/socks_datagram.hpp"

#include "core/socks_target.hpp"
#include "strata/transport/core/buffer_writer.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;

std::optional<socks_datagram> decode_socks_datagram(bytes packet) {
  constexpr std::size_t before_address = 3;
  if (packet.size() < before_address || packet[2] != std::byte{0}) return std::nullopt;
  const bytes rest = packet.subspan(before_address);
  const auto address = transport::decode_socks_address(rest);
  if (!address || address->size == 0) return std::nullopt;
  const auto where = target_of(address->value);
  if (!where) return std::nullopt;
  return socks_datagram{*where, rest.subspan(address->size)};
}

std::size_t encode_socks_datagram_header(
    const transport::target& where, std::span<std::byte, socks_datagram::max_header_size> out) {
  // A zone is cut off by the format: what it says would be another address.
  if (!where.is_valid() || where.ip().scope_id() != 0) return 0;
  transport::buffer_writer writer(out);
  writer.zeros(3);
  transport::encode(socks_address_of(where), writer);
  return writer.ok() ? writer.size() : 0;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
