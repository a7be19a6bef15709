// SPDX-License-Identifier: Apache-2.0
// DNS messages: what is accepted is written and read again as the same, within the limits, and is
// plain text where people see it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace {

using namespace strata::transport;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_plain(const std::string& text) {
  for (const char letter : text) require(letter >= ' ' && letter < 0x7f);
}

void check(const dns_name& name) {
  require(name.wire_size() <= dns_name::max_size);
  require_plain(name.string());
  require(dns_name::parse(name.string()).value().is_exactly(name));
  require(name.folded() == name && name.is_within(dns_name()) && name.is_within(name));
}

void check(const dns_record& record) {
  check(record.owner);
  require(record.ttl < std::uint32_t{1} << 31);
  if (const auto* other = std::get_if<dns_name>(&record.content)) check(*other);
  if (const auto* broken = std::get_if<dns_broken_record>(&record.content))
    require(!broken->reason.empty()), require_plain(broken->reason);
  if (const auto* service = std::get_if<https_record>(&record.content)) {
    check(service->target);
    require_plain(describe(*service));
    require(service->ipv4_hints.size() <= limits::max_dns_addresses);
    is_compatible(*service);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const auto decoded = decode_dns_message(std::as_bytes(std::span(input, size)));
  if (!decoded) {
    require(decoded.error().code && !decoded.error().text.empty());
    require_plain(decoded.error().text);
    return 0;
  }
  if (decoded->question) check(decoded->question->name);
  std::size_t records = 0;
  for (const auto* section : {&decoded->answers, &decoded->authorities, &decoded->additionals}) {
    records += section->size();
    for (const dns_record& each : *section) check(each);
  }
  require(records <= limits::max_dns_records);
  const auto encoded = encode_dns_message(*decoded);
  if (!encoded) {
    require(encoded.error().code == errc::message_too_large);
    return 0;
  }
  const auto again = decode_dns_message(*encoded);
  require(again && *again == *decoded);
  return 0;
}
