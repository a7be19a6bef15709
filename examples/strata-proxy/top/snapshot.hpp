// SPDX-License-Identifier: Apache-2.0
// What a running strata-proxy says of itself at one moment.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace top {

struct way {
  std::string rule;
  std::string outbound;
  auto operator<=>(const way&) const = default;
};

struct way_totals {
  std::uint64_t requests = 0;  ///< Those that are over.
  std::uint64_t failures = 0;
  std::uint64_t sessions = 0;  ///< Under way.
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

struct session {
  std::string inbound;
  std::string client;
  std::string user;
  std::string protocol;
  std::string command;
  std::string target;
  std::string rule;
  std::string outbound;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t milliseconds = 0;
};

struct snapshot {
  std::string version;
  std::uint64_t uptime = 0;  ///< In seconds.
  bool is_ready = true;
  std::uint64_t connections = 0;  ///< Now.
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t wrong_passwords = 0;
  std::uint64_t malformed = 0;
  std::map<way, way_totals> ways;
  /// By upper bound in seconds: how many connected within it. Of all outbounds.
  std::map<double, std::uint64_t> connecting;
  std::vector<session> sessions;
};

/// What is wrong with a page, in words for whoever asked for it.
template <class T>
using parsed = std::expected<T, std::string>;

/// Reads /metrics: the text format of Prometheus. Families it does not know are left out; a page
/// without strata_proxy_build_info is none of strata-proxy's.
parsed<snapshot> parse_metrics(std::string_view page);
/// Reads /sessions.tsv, whose first line names the columns; others than these are left out.
parsed<std::vector<session>> parse_sessions(std::string_view page);

}  // namespace top
