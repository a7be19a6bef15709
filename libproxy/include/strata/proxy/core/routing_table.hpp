// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/proxy/core/ip_network.hpp"
#include "strata/proxy/export.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

struct port_range {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

enum class carried : std::uint8_t { stream, datagrams };

/// A rule matches when each of its conditions does; one that is empty always does. Domains and
/// networks are one condition: where the connection goes.
struct rule {
  std::string name{};                   ///< For logs and figures.
  std::vector<std::string> domains{};   ///< Exactly these names.
  std::vector<std::string> suffixes{};  ///< These and all names below them.
  std::vector<std::string> keywords{};  ///< Names with this text in them.
  std::vector<ip_network> networks{};   ///< Addresses; of names only with `resolve`.
  /// Names are looked up, here, to be compared with `networks`. Otherwise nobody does before the
  /// outbound, and a name matches no network.
  bool resolve = false;
  std::vector<port_range> ports{};
  std::vector<std::string> inbounds{};
  std::vector<std::string> users{};
  std::optional<carried> what{};
  std::string outbound{};  ///< Empty: the request is refused.
};

struct route_query {
  const transport::target& where;
  std::string_view inbound{};
  std::string_view user{};
  carried what = carried::stream;
  /// Of a name that was looked up because find() asked for it; empty but not null if it has none.
  std::optional<std::span<const transport::address>> addresses{};
};

struct route {
  static constexpr std::size_t by_default = static_cast<std::size_t>(-1);

  std::size_t rule = by_default;  ///< Its index.
  std::string_view outbound{};    ///< Empty: refuse.
  /// A rule needs the addresses of the name: look it up, and ask again with them.
  bool needs_addresses = false;
};

/// Ordered rules: the first that matches decides. Names are compared without case and without the
/// dot of the root, which would otherwise be a way around every rule.
class STRATA_PROXY_API routing_table {
 public:
  /// `fallback` is where what no rule matches goes; empty: it is refused.
  explicit routing_table(std::vector<rule> rules = {}, std::string fallback = {});
  route find(const route_query& query) const;
  const std::vector<rule>& rules() const noexcept { return rules_; }

 private:
  struct names {
    std::set<std::string, std::less<>> exact;
    std::set<std::string, std::less<>> suffixes;
    std::vector<std::string> keywords;
  };
  enum class outcome : std::uint8_t { no, yes, needs_addresses };
  outcome matches(std::size_t index, const route_query& query, std::string_view name) const;
  outcome matches_place(std::size_t index, const route_query& query, std::string_view name) const;

  std::vector<rule> rules_;
  std::vector<names> names_;
  std::string fallback_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
