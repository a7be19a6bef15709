// SPDX-License-Identifier: Apache-2.0
#include "core/inbound/socks4_inbound.hpp"

#include <algorithm>

#include "core/socks_target.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;

namespace {

constexpr std::uint8_t socks4_connect = 1;
constexpr std::uint8_t socks4_bind = 2;
constexpr std::uint8_t socks4_granted = 0x5a;
constexpr std::uint8_t socks4_rejected = 0x5b;

void write_socks4_reply(std::string& out, std::uint8_t code, const transport::address& bound) {
  std::array<std::byte, 8> memory;
  transport::buffer_writer writer(memory);
  writer.u8(0);
  writer.u8(code);
  writer.u16(bound.port());
  // An IPv6 address has no place in it; zeros say that it is the proxy's own.
  if (bound.is_v4()) writer.put(bound.octets());
  writer.zeros(writer.remaining());
  out.append(transport::as_text(memory));
}

}  // namespace

std::size_t socks4_inbound::receive(bytes input) {
  std::size_t taken = 0;
  while (taken < input.size() && at() == stage::reading) {
    const bytes rest = input.subspan(taken);
    taken += part_ == part::fixed ? receive_fixed(rest) : receive_text(rest);
  }
  return taken;
}

std::size_t socks4_inbound::receive_fixed(bytes input) {
  const std::size_t size = std::min(input.size(), fixed_.size() - fixed_size_);
  transport::copy_bytes(fixed_.data() + fixed_size_, input.first(size));
  fixed_size_ += size;
  if (fixed_size_ == fixed_.size()) part_ = part::user_id;
  return size;
}

/// The octets up to a NUL, which is taken, too.
std::size_t socks4_inbound::receive_text(bytes input) {
  const auto end = std::ranges::find(input, std::byte{0});
  const auto size = static_cast<std::size_t>(end - input.begin());
  if (size > limits::max_socks4_text - text_.size()) {
    refuse(refusal::address_not_supported);
    return input.size();
  }
  text_.append(transport::as_text(input.first(size)));
  if (end == input.end()) return size;
  if (part_ == part::user_id && has_name()) {
    part_ = part::name;
    text_.clear();
  } else {
    read_request();
  }
  return size + 1;
}

/// SOCKS4a: 0.0.0.x with another x than zero stands for a name behind the user id.
bool socks4_inbound::has_name() const noexcept {
  return fixed_[4] == std::byte{0} && fixed_[5] == std::byte{0} && fixed_[6] == std::byte{0} &&
         fixed_[7] != std::byte{0};
}

void socks4_inbound::read_request() {
  if (has_users_) {
    write_refusal(refusal::not_allowed);
    return fail(errc::authentication_failed);
  }
  transport::buffer_reader reader(fixed_);
  reader.skip(1);
  const std::uint8_t asked = reader.u8();
  const std::uint16_t port = reader.u16();
  const auto where = part_ == part::name
                         ? target_of_name(text_, port)
                         : transport::target(transport::address(reader.rest(), port));
  if (asked != socks4_connect && !(asked == socks4_bind && bind_))
    return refuse(refusal::command_not_supported);
  wanted_.asked = asked == socks4_bind ? command::bind : command::connect;
  if (!where || (port == 0 && wanted_.asked == command::connect))
    return refuse(refusal::address_not_supported);
  wanted_.where = *where;
  ask();
}

void socks4_inbound::write_grant(const transport::address& bound) {
  write_socks4_reply(output_, socks4_granted, bound);
}

/// The other codes speak of user ids.
void socks4_inbound::write_refusal(refusal) { write_socks4_reply(output_, socks4_rejected, {}); }

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
