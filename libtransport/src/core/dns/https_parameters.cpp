// SPDX-License-Identifier: Apache-2.0
#include "core/dns/https_parameters.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {
namespace {

using enum https_key;

constexpr std::array<const char*, 7> key_names = {"mandatory", "alpn", "no-default-alpn", "port",
                                                  "ipv4hint",  "ech",  "ipv6hint"};

constexpr std::uint16_t number(https_key key) noexcept { return static_cast<std::uint16_t>(key); }

const char* read_mandatory(buffer_reader value, std::vector<std::uint16_t>& into) {
  std::optional<std::uint16_t> before;
  while (!value.empty()) {
    const std::uint16_t key = value.u16();
    if (!value.ok()) return "ends within a key";
    if (key == number(mandatory)) return "names itself";
    if (before && key <= *before) return "has keys that are not in increasing order";
    before = key;
    into.push_back(key);
  }
  return into.empty() ? "is empty" : nullptr;
}

const char* read_alpn(buffer_reader value, std::vector<std::string>& into) {
  while (!value.empty()) {
    const bytes protocol = value.take(value.u8());
    if (!value.ok()) return "ends within a protocol";
    if (protocol.empty()) return "has an empty protocol";
    into.emplace_back(as_text(protocol));
  }
  return into.empty() ? "is empty" : nullptr;
}

const char* read_hints(buffer_reader value, std::size_t size, std::vector<address>& into) {
  while (!value.empty()) {
    const bytes octets = value.take(size);
    if (!value.ok()) return "ends within an address";
    if (into.size() < limits::max_dns_addresses) into.emplace_back(octets, std::uint16_t{0});
  }
  return into.empty() ? "is empty" : nullptr;
}

const char* read_value(std::uint16_t key, bytes value, https_record& into) {
  buffer_reader reader(value);
  switch (static_cast<https_key>(key)) {
    case mandatory: return read_mandatory(reader, into.mandatory);
    case alpn: return read_alpn(reader, into.alpn);
    case no_default_alpn:
      into.no_default_alpn = true;
      return value.empty() ? nullptr : "has a value";
    case port:
      into.port = reader.u16();
      return reader.ok() && reader.empty() ? nullptr : "is not two octets";
    case ipv4hint: return read_hints(reader, 4, into.ipv4_hints);
    case ipv6hint: return read_hints(reader, 16, into.ipv6_hints);
    case ech:
      into.ech.assign(value.begin(), value.end());
      return value.empty() ? "is empty" : nullptr;
  }
  into.others.push_back({key, {value.begin(), value.end()}});
  return nullptr;
}

/// Which keys of a record are there, in increasing order, with what writes the value of each.
class parameter_writer {
 public:
  parameter_writer(const https_record& record, buffer_writer& to) : record_(record), to_(to) {}

  void write_all() {
    if (!record_.mandatory.empty()) put(mandatory);
    if (!record_.alpn.empty()) put(alpn);
    if (record_.no_default_alpn) put(no_default_alpn);
    if (record_.port) put(port);
    if (!record_.ipv4_hints.empty()) put(ipv4hint);
    if (!record_.ech.empty()) put(ech);
    if (!record_.ipv6_hints.empty()) put(ipv6hint);
    std::uint16_t before = number(ipv6hint);
    for (const https_parameter& each : record_.others) {
      if (each.key <= before || each.value.size() > 0xffff) return to_.fail();
      before = each.key;
      to_.u16(each.key);
      to_.u16(static_cast<std::uint16_t>(each.value.size()));
      to_.put(each.value);
    }
  }

 private:
  void put(https_key key) {
    to_.u16(number(key));
    const mutable_bytes length = to_.free_space();
    to_.u16(0);
    const std::size_t before = to_.size();
    value(key);
    const std::size_t size = to_.size() - before;
    if (!to_.ok() || size > 0xffff) return to_.fail();
    length[0] = static_cast<std::byte>(size >> 8);
    length[1] = static_cast<std::byte>(size);
  }

  void value(https_key key) {
    switch (key) {
      case mandatory:
        for (const std::uint16_t each : record_.mandatory) to_.u16(each);
        return;
      case alpn:
        for (const std::string& each : record_.alpn) {
          if (each.empty() || each.size() > 255) return to_.fail();
          to_.u8(static_cast<std::uint8_t>(each.size()));
          to_.put(as_bytes(each));
        }
        return;
      case no_default_alpn: return;
      case port: return to_.u16(*record_.port);
      case ipv4hint:
        for (const address& each : record_.ipv4_hints) {
          if (!each.is_v4()) return to_.fail();
          to_.put(each.octets());
        }
        return;
      case ipv6hint:
        for (const address& each : record_.ipv6_hints) put_ipv6(each);
        return;
      case ech: return to_.put(record_.ech);
    }
  }

  /// An address that maps an IPv4 address became that when it was read.
  void put_ipv6(const address& each) {
    if (each.is_v4()) {
      to_.zeros(10);
      to_.u16(0xffff);
    }
    if (each.octets().empty()) return to_.fail();
    to_.put(each.octets());
  }

  const https_record& record_;
  buffer_writer& to_;
};

}  // namespace

std::string read_parameters(bytes input, https_record& into) {
  // RFC 9460 section 2.4.2: recipients ignore the parameters of AliasMode.
  if (into.is_alias()) return {};
  buffer_reader reader(input);
  std::vector<std::uint16_t> keys;
  while (!reader.empty()) {
    const std::uint16_t key = reader.u16();
    const bytes value = reader.take(reader.u16());
    if (!reader.ok()) return "it ends within a parameter";
    if (!keys.empty() && key <= keys.back())
      return "its keys are not in increasing order: " + key_name(key) + " after " +
             key_name(keys.back());
    keys.push_back(key);
    if (const char* wrong = read_value(key, value, into)) return key_name(key) + " " + wrong;
  }
  if (into.no_default_alpn && into.alpn.empty()) return "no-default-alpn without alpn";
  for (const std::uint16_t each : into.mandatory) {
    if (!std::ranges::binary_search(keys, each))
      return "mandatory " + key_name(each) + " is missing";
  }
  return {};
}

void write_parameters(const https_record& record, buffer_writer& to) {
  if (!record.is_alias()) parameter_writer(record, to).write_all();
}

std::string key_name(std::uint16_t key) {
  return key < key_names.size() ? key_names[key] : "key" + std::to_string(key);
}

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
