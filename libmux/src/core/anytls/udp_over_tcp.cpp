// SPDX-License-Identifier: Apache-2.0
#include "strata/mux/core/udp_over_tcp.hpp"

#include <algorithm>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::udp_over_tcp {
namespace {

using transport::bytes;
using transport::decode_socks_address;
using transport::result;
using transport::socks_numbering;

bool same_name(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

std::optional<unsigned> version_of(std::string_view name) noexcept {
  if (same_name(name, name_v2)) return 2;
  if (same_name(name, name_v1)) return 1;
  return std::nullopt;
}

// The request has the numbers of SOCKS5 for kinds of addresses, datagrams have others.

result<decoded_request> decode_request(bytes input) noexcept {
  if (input.empty()) return decoded_request{};
  const auto connects = std::to_integer<unsigned>(input[0]);
  if (connects > 1) return std::unexpected(make_error_code(transport::errc::malformed));
  const auto address = decode_socks_address(input.subspan(1), socks_numbering::socks5);
  if (!address) return std::unexpected(address.error());
  if (address->size == 0) return decoded_request{};
  return decoded_request{{connects == 1, address->value}, 1 + address->size};
}

result<decoded_datagram> decode_datagram(bytes input, framing framed) noexcept {
  decoded_datagram made;
  std::size_t header = 0;
  if (framed == framing::addressed) {
    const auto address = decode_socks_address(input, socks_numbering::udp_over_tcp);
    if (!address) return std::unexpected(address.error());
    if (address->size == 0) return made;
    made.peer = address->value;
    header = address->size;
  }
  transport::buffer_reader reader(input.subspan(header));
  const std::uint16_t size = reader.u16();
  const bytes payload = reader.take(size);
  if (!reader.ok()) return decoded_datagram{};
  made.payload = payload;
  made.size = header + 2 + size;
  return made;
}

void encode(const request& value, transport::buffer_writer& to) noexcept {
  to.u8(value.connects ? 1 : 0);
  transport::encode(value.destination, to, socks_numbering::socks5);
}

void encode_header(const transport::socks_address& peer, std::size_t size, framing framed,
                   transport::buffer_writer& to) noexcept {
  if (size > max_payload) return to.fail();
  if (framed == framing::addressed) transport::encode(peer, to, socks_numbering::udp_over_tcp);
  to.u16(static_cast<std::uint16_t>(size));
}

}  // namespace core::udp_over_tcp
}  // namespace v0
}  // namespace strata::mux
