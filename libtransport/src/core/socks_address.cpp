// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/socks_address.hpp"

#include <algorithm>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

struct numbers {
  std::uint8_t v4, v6, name;
};

constexpr numbers numbers_of(socks_numbering numbering) noexcept {
  return numbering == socks_numbering::socks5 ? numbers{1, 4, 3} : numbers{0, 1, 2};
}

bool may_be_name(std::string_view name) noexcept {
  return !name.empty() && std::ranges::none_of(name, [](char letter) {
    return static_cast<unsigned char>(letter) <= ' ' || letter == 0x7f;
  });
}

}  // namespace

result<decoded_socks_address> decode_socks_address(bytes input,
                                                   socks_numbering numbering) noexcept {
  if (input.empty()) return decoded_socks_address{};
  const numbers of = numbers_of(numbering);
  const auto malformed = std::unexpected(make_error_code(errc::malformed));
  buffer_reader reader(input);
  const std::uint8_t type = reader.u8();
  if (type != of.v4 && type != of.v6 && type != of.name) return malformed;
  const bool named = type == of.name;
  const std::size_t size = type == of.v4 ? 4 : type == of.v6 ? 16 : reader.u8();
  if (named && reader.ok() && size == 0) return malformed;
  const bytes host = reader.take(size);
  const std::uint16_t port = reader.u16();
  if (!reader.ok()) return decoded_socks_address{};
  if (named && !may_be_name(as_text(host))) return malformed;
  const auto value =
      named ? socks_address::of(as_text(host), port) : socks_address::of(address(host, port));
  return decoded_socks_address{value, input.size() - reader.remaining()};
}

std::size_t encoded_size(const socks_address& of) noexcept {
  if (of.is_name()) return of.name.size() <= socks_address::max_name ? 4 + of.name.size() : 0;
  const std::size_t octets = of.ip.octets().size();
  return octets == 0 ? 0 : 3 + octets;
}

void encode(const socks_address& value, buffer_writer& to, socks_numbering numbering) noexcept {
  if (encoded_size(value) == 0) return to.fail();
  const numbers of = numbers_of(numbering);
  if (value.is_name()) {
    to.u8(of.name);
    to.u8(static_cast<std::uint8_t>(value.name.size()));
    to.put(as_bytes(value.name));
  } else {
    to.u8(value.ip.is_v4() ? of.v4 : of.v6);
    to.put(value.ip.octets());
  }
  to.u16(value.port);
}

}  // namespace v0
}  // namespace strata::transport
