// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "core/dns/https_parameters.hpp"
#include "core/dns/refused.hpp"
#include "core/dns/wire_reader.hpp"
#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

using dns::padding_option;
using dns::refused;
using dns::wire_reader;

constexpr std::uint32_t highest_bit = std::uint32_t{1} << 31;

std::unexpected<dns_error> malformed_message(std::string text) {
  return refused(errc::malformed, std::move(text));
}

struct counts {
  std::uint16_t questions, answers, authorities, additionals;
};

counts read_header(wire_reader& from, dns_message& into) {
  into.header.id = from.u16();
  const std::uint16_t flags = from.u16();
  const auto bit = [flags](int which) { return (flags >> which & 1) != 0; };
  into.header.is_response = bit(15);
  into.header.opcode = flags >> 11 & 15;
  into.header.authoritative = bit(10);
  into.header.truncated = bit(9);
  into.header.recursion_desired = bit(8);
  into.header.recursion_available = bit(7);
  into.header.authentic_data = bit(5);
  into.header.checking_disabled = bit(4);
  into.response_code = static_cast<dns_response_code>(flags & 15);
  counts out{};
  out.questions = from.u16();
  out.answers = from.u16();
  out.authorities = from.u16();
  out.additionals = from.u16();
  return out;
}

dns_soa read_soa(wire_reader& from) {
  dns_soa out;
  out.primary = from.name();
  out.mailbox = from.name();
  out.serial = from.u32();
  out.refresh = from.u32();
  out.retry = from.u32();
  out.expire = from.u32();
  out.minimum = from.u32();
  return out;
}

/// Its faults are its own: `from` ends in order.
dns_record::content_type read_https(wire_reader& from) {
  wire_reader fields = from;
  const bytes all = from.rest();
  https_record out;
  out.priority = fields.u16();
  out.target = fields.name_in_full();
  std::string wrong = fields.ok() ? "" : fields.problem();
  if (wrong.empty()) wrong = dns::read_parameters(fields.rest(), out);
  if (!wrong.empty()) return dns_broken_record{{all.begin(), all.end()}, std::move(wrong)};
  return out;
}

dns_record::content_type read_content(wire_reader& from, const dns_record& record) {
  if (record.record_class == dns_internet) {
    switch (record.type) {
      case dns_type::a: return address(from.take(4), 0);
      case dns_type::aaaa: return address(from.take(16), 0);
      case dns_type::cname:
      case dns_type::ns:
      case dns_type::ptr: return from.name();
      case dns_type::soa: return read_soa(from);
      case dns_type::svcb:
      case dns_type::https: return read_https(from);
      case dns_type::opt: break;
    }
  }
  const bytes rest = from.rest();
  return std::vector<std::byte>(rest.begin(), rest.end());
}

/// What the fields of an OPT record mean: RFC 6891 section 6.1.2.
const char* read_extension(const dns_record& record, dns_message& into) {
  if (into.extension) return "two OPT records";
  if (!record.owner.is_root()) return "an OPT record that is not of the root";
  dns_extension out;
  out.payload_size = record.record_class;
  out.version = static_cast<std::uint8_t>(record.ttl >> 16);
  out.dnssec_ok = (record.ttl >> 15 & 1) != 0;
  into.response_code = static_cast<dns_response_code>(record.ttl >> 24 << 4 |
                                                      static_cast<unsigned>(into.response_code));
  wire_reader options(std::get<std::vector<std::byte>>(record.content));
  while (!options.empty()) {
    const std::uint16_t code = options.u16();
    const std::size_t size = options.take(options.u16()).size();
    if (!options.ok()) return "an OPT record that ends within an option";
    if (code == padding_option) out.padding = static_cast<std::uint16_t>(size);
  }
  into.extension = out;
  return nullptr;
}

/// Reads one record, whose TTL is as on the wire.
const char* read_record(wire_reader& from, dns_record& into) {
  into.owner = from.name();
  into.type = static_cast<dns_type>(from.u16());
  into.record_class = from.u16();
  into.ttl = from.u32();
  wire_reader content = from.part(from.u16());
  if (!from.ok()) return from.problem();
  if (into.type == dns_type::opt) {
    const bytes options = content.rest();
    into.content = std::vector<std::byte>(options.begin(), options.end());
    return nullptr;
  }
  into.content = read_content(content, into);
  if (!content.ok()) return "a record whose content is cut short or has a broken name";
  if (!content.empty()) return "a record with more content than its type has";
  return nullptr;
}

class section_reader {
 public:
  section_reader(wire_reader& from, dns_message& into) : from_(from), into_(into) {}

  const char* read(std::vector<dns_record>& section, std::size_t count, bool additional) {
    for (std::size_t i = 0; i < count; ++i) {
      dns_record record;
      if (const char* wrong = read_record(from_, record)) return wrong;
      if (record.type == dns_type::opt) {
        if (!additional) return "an OPT record outside of the additional section";
        if (const char* wrong = read_extension(record, into_)) return wrong;
        continue;
      }
      if ((record.ttl & highest_bit) != 0) record.ttl = 0;
      section.push_back(std::move(record));
    }
    return nullptr;
  }

 private:
  wire_reader& from_;
  dns_message& into_;
};

}  // namespace

dns_result<dns_message> decode_dns_message(bytes message) {
  if (message.size() > limits::max_dns_message)
    return refused(errc::limit_exceeded, "more than 65,535 octets");
  wire_reader from(message);
  dns_message out;
  const counts expected = read_header(from, out);
  if (!from.ok()) return malformed_message("shorter than its header");
  // RFC 9619: a query has one question.
  if (expected.questions > 1) return malformed_message("more than one question");
  const std::size_t records =
      std::size_t{expected.answers} + expected.authorities + expected.additionals;
  if (records > limits::max_dns_records)
    return refused(errc::limit_exceeded, std::to_string(records) + " records");
  if (expected.questions == 1) {
    dns_question& question = out.question.emplace();
    question.name = from.name();
    question.type = static_cast<dns_type>(from.u16());
    question.query_class = from.u16();
    if (!from.ok()) return malformed_message(std::string("in the question: ") + from.problem());
  }
  section_reader sections(from, out);
  const auto wrong_in = [](const char* section, const char* wrong) {
    return malformed_message(std::string("in the ") + section + " section: " + wrong);
  };
  if (const char* wrong = sections.read(out.answers, expected.answers, false))
    return wrong_in("answer", wrong);
  if (const char* wrong = sections.read(out.authorities, expected.authorities, false))
    return wrong_in("authority", wrong);
  if (const char* wrong = sections.read(out.additionals, expected.additionals, true))
    return wrong_in("additional", wrong);
  if (!from.empty()) return malformed_message("octets after the last record");
  return out;
}

}  // namespace v0
}  // namespace strata::transport
