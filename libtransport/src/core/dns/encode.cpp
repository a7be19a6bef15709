// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "core/dns/https_parameters.hpp"
#include "core/dns/refused.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

using dns::padding_option;
using dns::refused;

constexpr std::size_t option_header = 4;

void write_name(const dns_name& name, buffer_writer& to) {
  to.put(as_bytes(name.labels()));
  to.u8(0);
}

/// The length of what `write` writes stands before it, in two octets.
template <class Write>
void write_with_length(buffer_writer& to, Write write) {
  const mutable_bytes length = to.free_space();
  to.u16(0);
  const std::size_t before = to.size();
  write();
  if (!to.ok()) return;
  const std::size_t size = to.size() - before;
  length[0] = static_cast<std::byte>(size >> 8);
  length[1] = static_cast<std::byte>(size);
}

/// Writes the content of a record, whose type is given; false when they do not fit each other.
class content_writer {
 public:
  content_writer(const dns_record& record, buffer_writer& to) : record_(record), to_(to) {}

  bool operator()(const std::vector<std::byte>& octets) const { return to_.put(octets), true; }
  bool operator()(const dns_broken_record& broken) const { return to_.put(broken.content), true; }
  bool operator()(const address& ip) const {
    if (record_.type == dns_type::a) return ip.is_v4() && (to_.put(ip.octets()), true);
    if (record_.type != dns_type::aaaa || ip.octets().empty()) return false;
    if (ip.is_v4()) {  // it was mapped into IPv6, and lost that when it was read
      to_.zeros(10);
      to_.u16(0xffff);
    }
    to_.put(ip.octets());
    return true;
  }
  bool operator()(const dns_name& name) const {
    write_name(name, to_);
    return record_.type == dns_type::cname || record_.type == dns_type::ns ||
           record_.type == dns_type::ptr;
  }
  bool operator()(const dns_soa& soa) const {
    write_name(soa.primary, to_);
    write_name(soa.mailbox, to_);
    for (const std::uint32_t each : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum})
      to_.u32(each);
    return record_.type == dns_type::soa;
  }
  bool operator()(const https_record& service) const {
    to_.u16(service.priority);
    write_name(service.target, to_);
    dns::write_parameters(service, to_);
    return record_.type == dns_type::https || record_.type == dns_type::svcb;
  }

 private:
  const dns_record& record_;
  buffer_writer& to_;
};

bool write_record(const dns_record& record, buffer_writer& to) {
  write_name(record.owner, to);
  to.u16(static_cast<std::uint16_t>(record.type));
  to.u16(record.record_class);
  to.u32(record.ttl);
  bool fits = true;
  write_with_length(to, [&] { fits = std::visit(content_writer(record, to), record.content); });
  return fits;
}

void write_extension(const dns_extension& extension, unsigned code, buffer_writer& to) {
  to.u8(0);
  to.u16(static_cast<std::uint16_t>(dns_type::opt));
  to.u16(extension.payload_size);
  to.u8(static_cast<std::uint8_t>(code >> 4));
  to.u8(extension.version);
  to.u16(extension.dnssec_ok ? 0x8000 : 0);
  write_with_length(to, [&] {
    if (!extension.padding) return;
    to.u16(padding_option);
    to.u16(*extension.padding);
    to.zeros(*extension.padding);
  });
}

void write_header(const dns_message& message, buffer_writer& to) {
  const dns_header& header = message.header;
  unsigned flags = static_cast<unsigned>(message.response_code) & 15;
  const auto bit = [&flags](bool set, int which) { flags |= unsigned{set} << which; };
  bit(header.is_response, 15);
  flags |= (header.opcode & 15u) << 11;
  bit(header.authoritative, 10);
  bit(header.truncated, 9);
  bit(header.recursion_desired, 8);
  bit(header.recursion_available, 7);
  bit(header.authentic_data, 5);
  bit(header.checking_disabled, 4);
  to.u16(header.id);
  to.u16(static_cast<std::uint16_t>(flags));
  to.u16(message.question ? 1 : 0);
  to.u16(static_cast<std::uint16_t>(message.answers.size()));
  to.u16(static_cast<std::uint16_t>(message.authorities.size()));
  to.u16(static_cast<std::uint16_t>(message.additionals.size() + (message.extension ? 1 : 0)));
}

dns_result<std::vector<std::byte>> encode_within(std::size_t capacity, const dns_message& message) {
  const std::size_t records = message.answers.size() + message.authorities.size() +
                              message.additionals.size() + (message.extension ? 1 : 0);
  if (records > limits::max_dns_records)
    return refused(errc::limit_exceeded, std::to_string(records) + " records");
  if (static_cast<unsigned>(message.response_code) > 15 && !message.extension)
    return refused(errc::invalid_argument, "a response code above 15 without EDNS");
  std::vector<std::byte> out(capacity);
  buffer_writer to(out);
  write_header(message, to);
  if (message.question) {
    write_name(message.question->name, to);
    to.u16(static_cast<std::uint16_t>(message.question->type));
    to.u16(message.question->query_class);
  }
  for (const auto* section : {&message.answers, &message.authorities, &message.additionals}) {
    for (const dns_record& each : *section) {
      if (!write_record(each, to))
        return refused(errc::invalid_argument,
                       "a record of type " + describe(each.type) + " with the content of another");
    }
  }
  if (message.extension)
    write_extension(*message.extension, static_cast<unsigned>(message.response_code), to);
  if (!to.ok()) return refused(errc::message_too_large, "it does not fit 65,535 octets");
  out.resize(to.size());
  return out;
}

}  // namespace

dns_result<std::vector<std::byte>> encode_dns_message(const dns_message& message) {
  return encode_within(limits::max_dns_message, message);
}

std::vector<std::byte> encode_dns_query(const dns_question& question,
                                        const dns_query_options& options) {
  dns_message query;
  query.header.id = options.id;
  query.header.recursion_desired = options.recursion_desired;
  query.question = question;
  if (options.payload_size != 0) query.extension = dns_extension{options.payload_size};
  constexpr std::size_t header = 12, fields = 4, opt = 11;
  std::size_t size = header + question.name.wire_size() + fields + opt + option_header;
  if (query.extension && options.padding_block != 0) {
    const std::size_t block = options.padding_block;
    query.extension->padding = static_cast<std::uint16_t>((block - size % block) % block);
    size += *query.extension->padding;
  }
  return std::move(*encode_within(size, query));
}

std::string describe(dns_type type) {
  switch (type) {
    case dns_type::a: return "A";
    case dns_type::ns: return "NS";
    case dns_type::cname: return "CNAME";
    case dns_type::soa: return "SOA";
    case dns_type::ptr: return "PTR";
    case dns_type::aaaa: return "AAAA";
    case dns_type::opt: return "OPT";
    case dns_type::svcb: return "SVCB";
    case dns_type::https: return "HTTPS";
  }
  return "TYPE" + std::to_string(static_cast<unsigned>(type));
}

std::string describe(dns_response_code code) {
  switch (code) {
    case dns_response_code::no_error: return "NOERROR";
    case dns_response_code::format_error: return "FORMERR";
    case dns_response_code::server_failure: return "SERVFAIL";
    case dns_response_code::name_error: return "NXDOMAIN";
    case dns_response_code::not_implemented: return "NOTIMP";
    case dns_response_code::refused: return "REFUSED";
    case dns_response_code::bad_version: return "BADVERS";
  }
  return "RCODE" + std::to_string(static_cast<unsigned>(code));
}

}  // namespace v0
}  // namespace strata::transport
