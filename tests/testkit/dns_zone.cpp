// SPDX-License-Identifier: Apache-2.0
#include "testkit/dns_zone.hpp"

#include <algorithm>
#include <utility>

namespace strata::testkit {

using namespace transport;

dns_zone& dns_zone::add(std::string_view owner, dns_type type, dns_record::content_type content,
                        std::uint32_t ttl) {
  records_.push_back({dns_name::parse(owner).value(), type, dns_internet, ttl, std::move(content)});
  return *this;
}

dns_zone& dns_zone::ip(std::string_view owner, std::string_view text, std::uint32_t ttl) {
  const address parsed = address::parse_ip(text, 0).value();
  return add(owner, parsed.is_v4() ? dns_type::a : dns_type::aaaa, parsed, ttl);
}

dns_zone& dns_zone::alias(std::string_view owner, std::string_view to, std::uint32_t ttl) {
  return add(owner, dns_type::cname, dns_name::parse(to).value(), ttl);
}

dns_zone& dns_zone::https(std::string_view owner, https_record record, std::uint32_t ttl) {
  return add(owner, dns_type::https, std::move(record), ttl);
}

dns_zone& dns_zone::soa(std::string_view owner, std::uint32_t minimum, std::uint32_t ttl) {
  dns_soa soa;
  soa.minimum = minimum;
  authority_.push_back({dns_name::parse(owner).value(), dns_type::soa, dns_internet, ttl, soa});
  return *this;
}

dns_message dns_zone::answer(const dns_message& query) const {
  dns_message out;
  out.header = {.id = query.header.id,
                .is_response = true,
                .recursion_desired = true,
                .recursion_available = true};
  out.question = query.question;
  dns_name at = query.question->name;
  bool is_known = false;
  for (int step = 0; step < 20; ++step) {
    const dns_record* alias = nullptr;
    bool found = false;
    for (const dns_record& each : records_) {
      if (!(each.owner == at)) continue;
      is_known = true;
      if (each.type == query.question->type) out.answers.push_back(each), found = true;
      if (each.type == dns_type::cname) alias = &each;
    }
    if (found || alias == nullptr) break;
    out.answers.push_back(*alias);
    at = std::get<dns_name>(alias->content);
    is_known = false;
  }
  if (!is_known && out.answers.empty()) out.response_code = dns_response_code::name_error;
  const auto is_data = [&](const dns_record& each) { return each.type == query.question->type; };
  if (!std::ranges::any_of(out.answers, is_data)) {
    for (const dns_record& each : authority_) {
      if (at.is_within(each.owner)) out.authorities.push_back(each);
    }
  }
  return out;
}

}  // namespace strata::testkit
