// SPDX-License-Identifier: Apache-2.0
#include "top/history.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace top {
namespace {

std::uint64_t grown(std::uint64_t before, std::uint64_t now) {
  return now >= before ? now - before : now;
}

double per_second(std::uint64_t before, std::uint64_t now, double seconds) {
  return seconds > 0 ? static_cast<double>(grown(before, now)) / seconds : 0;
}

void remember_one(series& in, std::optional<double> value) {
  in.push_back(value);
  if (in.size() > history::kept) in.pop_front();
}

/// A connection from one port of one host is one, however many requests it brings.
std::string key_of(const session& of) { return of.inbound + "\n" + of.client; }

}  // namespace

std::optional<double> quantile(const std::map<double, std::uint64_t>& buckets, double share) {
  if (buckets.empty() || buckets.rbegin()->second == 0) return std::nullopt;
  const double wanted = share * static_cast<double>(buckets.rbegin()->second);
  double low = 0;
  std::uint64_t below = 0;
  for (const auto& [bound, count] : buckets) {
    if (static_cast<double>(count) >= wanted && count > below) {
      if (std::isinf(bound)) return low;
      const double part =
          (wanted - static_cast<double>(below)) / static_cast<double>(count - below);
      return low + (bound - low) * part;
    }
    low = std::isinf(bound) ? low : bound;
    below = std::max(below, count);
  }
  return low;
}

void history::add(time_point at, snapshot now) {
  snapshot before = std::exchange(view_.last, std::move(now));
  // Whoever began anew counts from zero, even where that is more than there was.
  if (view_.last.uptime < before.uptime) before = snapshot();
  const double seconds = at_ ? std::chrono::duration<double>(at - *at_).count() : 0;
  at_ = at;
  view_.lost.clear();
  view_.is_known = true;
  count_ways(before, seconds);
  count_sessions(before, seconds);
  count_connecting(seconds > 0 ? before : view_.last);
  if (seconds > 0) remember();
}

void history::lose(std::string why) {
  view_.lost = std::move(why);
  view_.now = {};
  view_.median.reset();
  view_.tail.reset();
  view_.sessions.clear();
  for (way_view& each : view_.ways) each.now = {};
  for (series* each : {&view_.sent, &view_.received, &view_.requests, &view_.connecting})
    remember_one(*each, std::nullopt);
}

void history::count_ways(const snapshot& before, double seconds) {
  view_.ways.clear();
  view_.now = {};
  for (const auto& [of, totals] : view_.last.ways) {
    const auto found = before.ways.find(of);
    const way_totals was = found == before.ways.end() ? way_totals() : found->second;
    way_view made{.of = of, .totals = totals};
    made.now.requests = per_second(was.requests, totals.requests, seconds);
    made.now.failures = per_second(was.failures, totals.failures, seconds);
    made.now.sent = per_second(was.sent, totals.sent, seconds);
    made.now.received = per_second(was.received, totals.received, seconds);
    view_.now.requests += made.now.requests;
    view_.now.failures += made.now.failures;
    view_.now.sent += made.now.sent;
    view_.now.received += made.now.received;
    view_.ways.push_back(std::move(made));
  }
}

void history::count_sessions(const snapshot& before, double seconds) {
  std::map<std::string, const session*> known;
  for (const session& each : before.sessions) known.emplace(key_of(each), &each);
  view_.sessions.clear();
  for (const session& each : view_.last.sessions) {
    session_view made{.of = each};
    const auto found = known.find(key_of(each));
    // A younger one on the same connection is another request.
    const bool is_same = found != known.end() && found->second->milliseconds <= each.milliseconds;
    made.sent = per_second(is_same ? found->second->sent : 0, each.sent, seconds);
    made.received = per_second(is_same ? found->second->received : 0, each.received, seconds);
    view_.sessions.push_back(std::move(made));
  }
}

void history::count_connecting(const snapshot& before) {
  std::map<double, std::uint64_t> lately;
  for (const auto& [bound, count] : view_.last.connecting) {
    const auto found = before.connecting.find(bound);
    lately[bound] = grown(found == before.connecting.end() ? 0 : found->second, count);
  }
  view_.median = quantile(lately, 0.5);
  view_.tail = quantile(lately, 0.95);
}

void history::remember() {
  remember_one(view_.sent, view_.now.sent);
  remember_one(view_.received, view_.now.received);
  remember_one(view_.requests, view_.now.requests);
  remember_one(view_.connecting, view_.median);
}

}  // namespace top
