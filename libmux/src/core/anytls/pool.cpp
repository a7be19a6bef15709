// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "strata/mux/core/anytls_pool.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

namespace limit = limits::anytls;

anytls_pool_config sensible(anytls_pool_config config) {
  for (auto* const time : {&config.check_interval, &config.idle_timeout})
    if (*time <= limit::min_pool_time) *time = limit::pool_replacement;
  return config;
}

/// The first failure may be chance; from the second on the wait doubles.
std::chrono::milliseconds backoff(unsigned failures) {
  if (failures < 2) return std::chrono::milliseconds(0);
  std::chrono::milliseconds wait = limit::first_backoff;
  for (unsigned i = 2; i < failures && wait < limit::max_backoff; ++i) wait *= 2;
  return std::min(wait, limit::max_backoff);
}

}  // namespace

anytls_pool::anytls_pool(const anytls_pool_config& config) : config_(sensible(config)) {}

anytls_pool::choice anytls_pool::acquire(time_point now) {
  if (idle_.empty()) return acquire_new(now);
  const auto newest = std::prev(idle_.end());
  const number session = newest->first;
  busy_.insert(*newest);
  idle_.erase(newest);
  return {.kind = choice::kind_type::reuse, .session = session, .until = now};
}

anytls_pool::choice anytls_pool::acquire_new(time_point now) {
  if (now < dial_from_) return {.kind = choice::kind_type::wait, .session = 0, .until = dial_from_};
  if (!next_check_) next_check_ = now + config_.check_interval;
  busy_.emplace(++last_, entry());
  return {.kind = choice::kind_type::dial, .session = last_, .until = now};
}

void anytls_pool::came_alive(number session) {
  const auto found = busy_.find(session);
  if (found == busy_.end() || found->second.alive) return;
  found->second.alive = true;
  dead_on_arrival_ = 0;
  dial_from_ = {};
}

void anytls_pool::release(time_point now, number session) {
  auto found = busy_.extract(session);
  if (found.empty()) return;
  if (!config_.reuse) {
    closing_.insert(closing_.begin(), session);
    return;
  }
  found.mapped().idle_since = now;
  idle_.insert(std::move(found));
}

void anytls_pool::lost(time_point now, number session) {
  idle_.erase(session);
  const auto found = busy_.extract(session);
  if (found.empty() || found.mapped().alive) return;
  ++dead_on_arrival_;
  dial_from_ = now + backoff(dead_on_arrival_);
}

std::optional<time_point> anytls_pool::next_timeout() const {
  return idle_.empty() ? std::nullopt : next_check_;
}

void anytls_pool::handle_timeout(time_point now) {
  if (!next_check_ || now < *next_check_) return;
  *next_check_ += config_.check_interval * ((now - *next_check_) / config_.check_interval + 1);
  std::size_t kept = 0;
  for (auto at = idle_.end(); at != idle_.begin();) {
    --at;
    const bool expired = now - at->second.idle_since > config_.idle_timeout;
    if (expired && kept >= config_.min_idle) {
      closing_.push_back(at->first);
      at = idle_.erase(at);
      continue;
    }
    if (expired) at->second.idle_since = now;
    ++kept;
  }
}

std::optional<anytls_pool::number> anytls_pool::poll_closing() {
  if (closing_.empty()) return std::nullopt;
  const number oldest = closing_.back();
  closing_.pop_back();
  return oldest;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
