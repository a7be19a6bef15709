// SPDX-License-Identifier: Apache-2.0
// Snapshots one after the other, and what happened between them.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "top/snapshot.hpp"

namespace top {

/// All per second.
struct rates {
  double requests = 0;
  double failures = 0;
  double sent = 0;
  double received = 0;
};

struct way_view {
  way of;
  way_totals totals;
  rates now;
};

struct session_view {
  session of;
  double sent = 0;
  double received = 0;
};

/// What one sparkline draws, oldest first; nothing where nothing is known.
using series = std::deque<std::optional<double>>;

struct view {
  snapshot last;
  rates now;
  std::vector<way_view> ways;
  std::vector<session_view> sessions;
  std::optional<double> median;  ///< Of the seconds that connecting took, lately.
  std::optional<double> tail;    ///< 95 of 100 took no longer.
  series sent, received, requests, connecting;
  std::string lost;       ///< Why nothing is known; empty while all is well.
  bool is_known = false;  ///< There was a snapshot.
};

/// Differences of counters. One that is smaller than before began anew: the other side did.
class history {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kept = 512;

  void add(time_point at, snapshot now);
  void lose(std::string why);
  const view& current() const { return view_; }

 private:
  void count_ways(const snapshot& before, double seconds);
  void count_sessions(const snapshot& before, double seconds);
  void count_connecting(const snapshot& before);
  void remember();

  std::optional<time_point> at_;
  view view_;
};

/// The value that this share of what was counted does not exceed, taken as even within a bucket;
/// nothing when nothing was counted. The counts are cumulative, as Prometheus has them.
std::optional<double> quantile(const std::map<double, std::uint64_t>& buckets, double share);

}  // namespace top
