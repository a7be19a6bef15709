// SPDX-License-Identifier: Apache-2.0
// What has been carried, by which rule and through which outbound, and how long connecting took.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "strata/proxy/proxy_server.hpp"

/// A request of an inbound, or a stream of a tunnel server, whose name is in the inbound's place.
struct carried_request : strata::proxy::session_report {
  carried_request(strata::proxy::session_report of, std::string by = {})
      : session_report(std::move(of)), tunnel(std::move(by)) {}
  std::string tunnel;  ///< What a stream came by; empty: the request says what it was spoken in.
};

/// Times of connecting, counted as a histogram of Prometheus counts.
class connect_times {
 public:
  struct bound {
    std::chrono::microseconds upper;
    std::string_view seconds;
  };
  static constexpr std::array<bound, 14> bounds{{{std::chrono::microseconds(500), "0.0005"},
                                                 {std::chrono::milliseconds(1), "0.001"},
                                                 {std::chrono::milliseconds(2), "0.002"},
                                                 {std::chrono::milliseconds(5), "0.005"},
                                                 {std::chrono::milliseconds(10), "0.01"},
                                                 {std::chrono::milliseconds(20), "0.02"},
                                                 {std::chrono::milliseconds(50), "0.05"},
                                                 {std::chrono::milliseconds(100), "0.1"},
                                                 {std::chrono::milliseconds(200), "0.2"},
                                                 {std::chrono::milliseconds(500), "0.5"},
                                                 {std::chrono::seconds(1), "1"},
                                                 {std::chrono::seconds(2), "2"},
                                                 {std::chrono::seconds(5), "5"},
                                                 {std::chrono::seconds(10), "10"}}};

  void add(strata::transport::duration took);
  /// Those that took no longer than bounds[i].
  std::uint64_t within(std::size_t i) const { return within_[i]; }
  std::uint64_t count() const { return count_; }
  std::chrono::duration<double> sum() const { return sum_; }

 private:
  std::array<std::uint64_t, bounds.size()> within_{};
  std::uint64_t count_ = 0;
  strata::transport::duration sum_{0};
};

/// What one rule has sent through one outbound.
struct way_figures {
  std::uint64_t requests = 0;  ///< Those that are over.
  std::uint64_t failures = 0;  ///< Among them.
  std::uint64_t sessions = 0;  ///< Under way.
  strata::transport::relay_counters moved{};
};

struct traffic {
  struct way {
    std::string rule;
    std::string outbound;  ///< Empty where requests are refused.
    auto operator<=>(const way&) const = default;
  };
  /// A request that is over.
  void add_ended(const strata::proxy::session_report& of);
  /// One under way, so that sums never jump when it ends; it is in no other add of these figures.
  void add_current(const strata::proxy::session_report& of);

  std::map<way, way_figures> ways;
  std::map<std::string, connect_times> connecting;  ///< By outbound.
};
