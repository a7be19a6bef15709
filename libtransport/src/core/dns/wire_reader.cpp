// SPDX-License-Identifier: Apache-2.0
#include "core/dns/wire_reader.hpp"

#include <string>

#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {
namespace {

constexpr std::uint8_t pointer_bits = 0xc0;

}  // namespace

std::uint8_t wire_reader::u8() noexcept {
  const bytes octet = take(1);
  return octet.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(octet[0]);
}

std::uint16_t wire_reader::u16() noexcept {
  const unsigned high = u8();
  return static_cast<std::uint16_t>(high << 8 | u8());
}

std::uint32_t wire_reader::u32() noexcept {
  const std::uint32_t high = u16();
  return high << 16 | u16();
}

bytes wire_reader::take(std::size_t size) noexcept {
  if (remaining() < size) return fail("the message is cut short"), bytes{};
  const bytes out = message_.subspan(at_, size);
  at_ += size;
  return out;
}

wire_reader wire_reader::part(std::size_t size) noexcept {
  wire_reader out = *this;
  take(size);
  out.end_ = at_;
  out.problem_ = problem_;
  if (!ok()) out.at_ = out.end_;
  return out;
}

dns_name wire_reader::name() { return read_name(true); }
dns_name wire_reader::name_in_full() { return read_name(false); }

dns_name wire_reader::read_name(bool pointers) {
  std::string labels;
  wire_reader from = *this;
  std::size_t first = at_;  // of the labels that are being read
  unsigned jumps = 0;
  for (;;) {
    const std::uint8_t octet = from.u8();
    if (!from.ok()) return fail(from.problem_), dns_name();
    if (jumps == 0) at_ = from.at_;
    if ((octet & pointer_bits) == pointer_bits) {
      const std::size_t to = (octet & ~unsigned{pointer_bits}) << 8 | from.u8();
      if (!from.ok()) return fail(from.problem_), dns_name();
      if (jumps == 0) at_ = from.at_;
      if (!pointers) return fail("a compressed name where none may be"), dns_name();
      if (to >= first) return fail("a name points forward or at itself"), dns_name();
      if (++jumps > limits::max_dns_pointers)
        return fail("a name of too many pointers"), dns_name();
      from.at_ = first = to;
      from.end_ = message_.size();
      continue;
    }
    if ((octet & pointer_bits) != 0) return fail("a label of an unknown kind"), dns_name();
    if (octet == 0) break;
    const bytes label = from.take(octet);
    if (!from.ok()) return fail(from.problem_), dns_name();
    if (jumps == 0) at_ = from.at_;
    if (labels.size() + 1 + label.size() + 1 > dns_name::max_size)
      return fail("a name longer than 255 octets"), dns_name();
    labels += static_cast<char>(octet);
    labels += as_text(label);
  }
  return *dns_name::from_labels(labels);
}

void wire_reader::fail(const char* why) noexcept {
  if (ok()) problem_ = why;
  at_ = end_;
}

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
