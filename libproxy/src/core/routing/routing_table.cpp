// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/routing_table.hpp"

#include <algorithm>
#include <utility>

namespace strata::proxy {
inline namespace v0 {
namespace core {
namespace {

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
}

std::string normalized(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string made(name);
  std::ranges::transform(made, made.begin(), lower);
  return made;
}

bool has(const std::vector<std::string>& any_of, std::string_view one) {
  return any_of.empty() || std::ranges::find(any_of, one) != any_of.end();
}

bool has(const std::vector<port_range>& any_of, std::uint16_t port) {
  return any_of.empty() || std::ranges::any_of(any_of, [&](const port_range& each) {
           return each.first <= port && port <= each.last;
         });
}

/// The name itself and each that is above it.
bool has_suffix(const std::set<std::string, std::less<>>& suffixes, std::string_view name) {
  while (!suffixes.empty()) {
    if (suffixes.contains(name)) return true;
    const std::size_t dot = name.find('.');
    if (dot == name.npos) return false;
    name.remove_prefix(dot + 1);
  }
  return false;
}

}  // namespace

routing_table::routing_table(std::vector<rule> rules, std::string fallback)
    : rules_(std::move(rules)), fallback_(std::move(fallback)) {
  for (const rule& each : rules_) {
    names& made = names_.emplace_back();
    for (const std::string& name : each.domains) made.exact.insert(normalized(name));
    for (std::string_view name : each.suffixes) {
      if (name.starts_with('.')) name.remove_prefix(1);
      made.suffixes.insert(normalized(name));
    }
    for (const std::string& text : each.keywords) made.keywords.push_back(normalized(text));
  }
}

route routing_table::find(const route_query& query) const {
  const std::string name = normalized(query.where.name());
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    switch (matches(i, query, name)) {
      case outcome::no: break;
      case outcome::yes: return {.rule = i, .outbound = rules_[i].outbound};
      case outcome::needs_addresses: return {.rule = i, .outbound = {}, .needs_addresses = true};
    }
  }
  return {.rule = route::by_default, .outbound = fallback_};
}

routing_table::outcome routing_table::matches(std::size_t index, const route_query& query,
                                              std::string_view name) const {
  const rule& asked = rules_[index];
  const bool others = has(asked.ports, query.where.port()) && has(asked.inbounds, query.inbound) &&
                      has(asked.users, query.user) && (!asked.what || *asked.what == query.what);
  return others ? matches_place(index, query, name) : outcome::no;
}

routing_table::outcome routing_table::matches_place(std::size_t index, const route_query& query,
                                                    std::string_view name) const {
  const rule& asked = rules_[index];
  const names& of = names_[index];
  const bool no_names = of.exact.empty() && of.suffixes.empty() && of.keywords.empty();
  if (no_names && asked.networks.empty()) return outcome::yes;
  if (!query.where.is_name())
    return is_in_any(asked.networks, query.where.ip()) ? outcome::yes : outcome::no;
  if (of.exact.contains(name) || has_suffix(of.suffixes, name)) return outcome::yes;
  const auto is_in_name = [&](const std::string& text) { return name.find(text) != name.npos; };
  if (std::ranges::any_of(of.keywords, is_in_name)) return outcome::yes;
  if (asked.networks.empty() || !asked.resolve) return outcome::no;
  if (!query.addresses) return outcome::needs_addresses;
  const bool found = std::ranges::any_of(
      *query.addresses, [&](const auto& each) { return is_in_any(asked.networks, each); });
  return found ? outcome::yes : outcome::no;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
