// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "strata/transport/core/dns_cache.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Nodes of the list and the tree, by estimate.
constexpr std::size_t node_cost = 128;

struct content_cost {
  std::size_t operator()(const std::vector<std::byte>& octets) const { return octets.size(); }
  std::size_t operator()(const address&) const { return 0; }
  std::size_t operator()(const dns_name& name) const { return name.wire_size(); }
  std::size_t operator()(const dns_soa& soa) const {
    return soa.primary.wire_size() + soa.mailbox.wire_size();
  }
  std::size_t operator()(const dns_broken_record& broken) const {
    return broken.content.size() + broken.reason.size();
  }
  std::size_t operator()(const https_record& service) const {
    std::size_t out = service.target.wire_size() + 2 * service.mandatory.size() +
                      service.ech.size() +
                      sizeof(address) * (service.ipv4_hints.size() + service.ipv6_hints.size());
    for (const std::string& each : service.alpn) out += sizeof each + each.size();
    for (const https_parameter& each : service.others) out += sizeof each + each.value.size();
    return out;
  }
};

std::size_t cost_of(const dns_answer& answer) {
  std::size_t out = sizeof answer + answer.canonical.wire_size();
  for (const dns_record& each : answer.records)
    out += sizeof each + each.owner.wire_size() + std::visit(content_cost(), each.content);
  return out;
}

}  // namespace

dns_cache::key dns_cache::key_of(const dns_question& asked) {
  return {std::string(asked.name.folded().labels()),
          std::uint32_t{asked.query_class} << 16 | static_cast<std::uint32_t>(asked.type)};
}

void dns_cache::store(time_point now, const dns_question& asked, dns_answer answer) {
  const bool found = answer.outcome == dns_answer::outcome_type::found;
  const auto longest = found ? bounds_.longest : bounds_.longest_negative;
  const auto ttl = std::min(answer.ttl, longest);
  key question = key_of(asked);
  if (const auto old = by_question_.find(question); old != by_question_.end()) erase(old->second);
  const std::size_t cost = cost_of(answer) + 2 * question.first.size() + sizeof(entry) + node_cost;
  if (ttl <= std::chrono::seconds::zero() || cost > bounds_.bytes || bounds_.entries == 0) return;
  while (bytes_ + cost > bounds_.bytes || by_question_.size() >= bounds_.entries)
    erase(std::prev(entries_.end()));
  entries_.push_front({question, std::move(answer), now + ttl, cost});
  by_question_.emplace(std::move(question), entries_.begin());
  bytes_ += cost;
}

std::optional<dns_answer> dns_cache::find(time_point now, const dns_question& asked) {
  const auto found = by_question_.find(key_of(asked));
  if (found == by_question_.end()) return std::nullopt;
  const auto at = found->second;
  if (at->until <= now) return erase(at), std::nullopt;
  entries_.splice(entries_.begin(), entries_, at);
  dns_answer out = at->answer;
  out.ttl = std::chrono::ceil<std::chrono::seconds>(at->until - now);
  return out;
}

void dns_cache::clear() noexcept {
  by_question_.clear();
  entries_.clear();
  bytes_ = 0;
}

void dns_cache::erase(entry_list::iterator at) {
  bytes_ -= at->cost;
  by_question_.erase(at->question);
  entries_.erase(at);
}

}  // namespace v0
}  // namespace strata::transport
