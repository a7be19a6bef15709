// SPDX-License-Identifier: Apache-2.0
#include "core/inbound/socks5_inbound.hpp"

#include <algorithm>

#include "core/socks_target.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::socks_address;

namespace {

constexpr std::uint8_t socks5_version = 5;
constexpr std::uint8_t password_version = 1;
constexpr char no_authentication = 0;
constexpr char user_and_password = 2;
constexpr char no_acceptable_method = '\xff';

std::uint8_t socks5_code(refusal why) noexcept {
  return why == refusal::overloaded ? 1 : static_cast<std::uint8_t>(static_cast<int>(why) + 1);
}
static_assert(static_cast<int>(refusal::address_not_supported) == 7);

void write_socks5_reply(std::string& out, std::uint8_t code, const transport::address& bound) {
  std::array<std::byte, 3 + socks_address::max_encoded_size> memory;
  transport::buffer_writer writer(memory);
  writer.u8(socks5_version);
  writer.u8(code);
  writer.u8(0);
  const bool known = bound.ip_family() != transport::address::family::none;
  transport::encode(socks_address::of(known ? bound : transport::address::any_v4(0)), writer);
  out.append(transport::as_text(writer.written()));
}

}  // namespace

std::size_t socks5_inbound::receive(bytes input) {
  std::size_t taken = 0;
  while (taken < input.size() && at() == stage::reading) {
    const std::size_t more = std::min(wanted_size() - size_, input.size() - taken);
    transport::copy_bytes(message_.data() + size_, input.subspan(taken, more));
    size_ += more;
    taken += more;
    if (wanted_size() == size_) read_message();
  }
  return taken;
}

/// How long the message is at least, by what has come of it; it is complete when it is so long. One
/// of another version is read no further than its version.
std::size_t socks5_inbound::wanted_size() const noexcept {
  if (part_ == part::request) return wanted_request_size();
  if (size_ < 2) return 2;
  const std::size_t first = 2 + octet(1);
  if (part_ == part::greeting) return first;
  if (octet(0) != password_version) return 2;
  return size_ <= first ? first + 1 : first + 1 + octet(first);
}

/// Of an unknown type of address nobody knows the length.
std::size_t socks5_inbound::wanted_request_size() const noexcept {
  constexpr std::size_t before_address = 4;
  constexpr std::size_t port_size = 2;
  if (size_ < before_address || octet(0) != socks5_version) return before_address;
  switch (octet(before_address - 1)) {
    case 1: return before_address + 4 + port_size;
    case 3:
      return size_ == before_address ? before_address + 1
                                     : before_address + 1 + octet(before_address) + port_size;
    case 4: return before_address + 16 + port_size;
    default: return before_address;
  }
}

void socks5_inbound::read_message() {
  switch (part_) {
    case part::greeting: read_greeting(); break;
    case part::credentials: read_credentials(); break;
    case part::request: read_request(); break;
  }
  size_ = 0;
}

void socks5_inbound::read_greeting() {
  const bool has_users = users_ && !users_->empty();
  const char method = has_users ? user_and_password : no_authentication;
  const std::string_view offered = transport::as_text(message().subspan(2));
  output_.push_back(socks5_version);
  if (offered.find(method) == offered.npos) {
    output_.push_back(no_acceptable_method);
    return fail(has_users ? make_error_code(errc::authentication_failed)
                          : make_error_code(transport::errc::not_supported));
  }
  output_.push_back(method);
  part_ = has_users ? part::credentials : part::request;
}

void socks5_inbound::read_credentials() {
  if (octet(0) != password_version) return fail(transport::errc::protocol_error);
  transport::buffer_reader reader(message());
  reader.skip(1);
  const bytes name = reader.take(reader.u8());
  const bytes password = reader.take(reader.u8());
  const bool known = users_->matches(transport::as_text(name), transport::as_text(password));
  output_.push_back(password_version);
  output_.push_back(known ? 0 : 1);
  if (!known) return fail_credentials();
  wanted_.user = transport::as_text(name);
  part_ = part::request;
}

void socks5_inbound::read_request() {
  if (octet(0) != socks5_version) {
    write_refusal(refusal::general_failure);
    return fail(transport::errc::protocol_error);
  }
  switch (octet(1)) {
    case 1: return read_target(true);
    case 2:
      wanted_.asked = command::bind;
      if (bind_) return read_target(false);
      break;
    case 3:
      wanted_.asked = command::udp_associate;
      if (udp_associate_) return read_target(false);
      break;
    default: break;
  }
  refuse(refusal::command_not_supported);
}

void socks5_inbound::read_target(bool of_connect) {
  const auto address = transport::decode_socks_address(message().subspan(3));
  if (!address || address->size == 0) return refuse(refusal::address_not_supported);
  const auto where = target_of(address->value);
  if (!where || (of_connect && where->port() == 0)) return refuse(refusal::address_not_supported);
  wanted_.where = *where;
  ask();
}

void socks5_inbound::write_grant(const transport::address& bound) {
  write_socks5_reply(output_, 0, bound);
}

void socks5_inbound::write_refusal(refusal why) {
  write_socks5_reply(output_, socks5_code(why), {});
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
