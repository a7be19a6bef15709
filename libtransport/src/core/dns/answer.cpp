// SPDX-License-Identifier: Apache-2.0
#include "core/dns/answer.hpp"

#include <algorithm>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {
namespace {

using outcome = dns_answer::outcome_type;

bool is_of(const dns_record& record, const dns_name& owner, dns_type type) noexcept {
  return record.type == type && record.record_class == dns_internet && record.owner == owner;
}

const dns_record* find_alias(const dns_message& response, const dns_name& owner) {
  const auto found = std::ranges::find_if(response.answers, [&](const dns_record& each) {
    return is_of(each, owner, dns_type::cname);
  });
  return found == response.answers.end() ? nullptr : &*found;
}

bool has_records(const dns_message& response, const dns_name& owner, dns_type type) {
  return std::ranges::any_of(response.answers,
                             [&](const dns_record& each) { return is_of(each, owner, type); });
}

void shorten(dns_answer& answer, std::uint32_t ttl) {
  answer.ttl = std::min(answer.ttl, std::chrono::seconds(ttl));
}

/// RFC 2308 section 5: how long the absence of something may be remembered is said by the SOA of
/// its zone, and without one not at all.
bool find_absence(const dns_message& response, dns_answer& into) {
  for (const dns_record& each : response.authorities) {
    const auto* soa = std::get_if<dns_soa>(&each.content);
    if (soa == nullptr || !into.canonical.is_within(each.owner)) continue;
    shorten(into, std::min(each.ttl, soa->minimum));
    return true;
  }
  return false;
}

}  // namespace

bool answers(const dns_message& response, const dns_question& asked, std::uint16_t id) noexcept {
  return response.header.is_response && response.header.opcode == 0 && response.header.id == id &&
         response.question == asked;
}

reading read_answer(const dns_message& response, const dns_question& asked) {
  reading out;
  dns_answer& answer = out.answer;
  answer.canonical = asked.name;
  answer.ttl = std::chrono::seconds::max();
  while (!has_records(response, answer.canonical, asked.type)) {
    const dns_record* alias = find_alias(response, answer.canonical);
    if (alias == nullptr) break;
    if (++out.aliases > limits::max_dns_aliases) {
      out.error = make_error_code(errc::limit_exceeded);
      return out;
    }
    answer.canonical = std::get<dns_name>(alias->content);
    shorten(answer, alias->ttl);
  }
  if (response.response_code == dns_response_code::no_error) {
    for (const dns_record& each : response.answers) {
      if (!is_of(each, answer.canonical, asked.type)) continue;
      shorten(answer, each.ttl);
      if (answer.records.size() < limits::max_dns_addresses) answer.records.push_back(each);
    }
    answer.outcome = answer.records.empty() ? outcome::no_records : outcome::found;
  } else {
    answer.outcome = outcome::no_name;
  }
  if (answer.outcome == outcome::found) return out;
  if (find_absence(response, answer)) return out;
  out.is_unfinished = out.aliases != 0 && answer.outcome == outcome::no_records;
  if (!out.is_unfinished) answer.ttl = std::chrono::seconds::zero();
  return out;
}

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
