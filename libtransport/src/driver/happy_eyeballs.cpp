// SPDX-License-Identifier: Apache-2.0
#include "driver/happy_eyeballs.hpp"

#include <algorithm>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// How much a failure says: a host that refuses is there, one that is silent may be, an unreachable
/// network says nothing.
int weight(const std::error_code& error) {
  if (!error) return 0;
  if (error == errc::unreachable) return 1;
  if (error == errc::refused) return 4;
  if (error == errc::timed_out) return 3;
  return 2;
}

}  // namespace

std::vector<address> interleave_families(const std::vector<address>& resolved) {
  std::vector<address> first_family, other_family, out;
  for (const address& next : resolved) {
    auto& family = next.ip_family() == resolved.front().ip_family() ? first_family : other_family;
    if (std::ranges::find(family, next) == family.end()) family.push_back(next);
  }
  for (std::size_t at = 0; at < std::max(first_family.size(), other_family.size()); ++at) {
    for (const auto* family : {&first_family, &other_family}) {
      if (at < family->size() && out.size() < max_dial_addresses) out.push_back((*family)[at]);
    }
  }
  return out;
}

happy_eyeballs::happy_eyeballs(std::vector<address> addresses, duration attempt_delay)
    : addresses_(std::move(addresses)), attempt_delay_(attempt_delay) {}

std::optional<std::size_t> happy_eyeballs::poll_attempt(time_point now) {
  if (started_ == addresses_.size() || now < due_) return std::nullopt;
  due_ = now + attempt_delay_;
  return started_++;
}

std::optional<time_point> happy_eyeballs::next_timeout() const {
  if (started_ == 0 || started_ == addresses_.size()) return std::nullopt;
  return due_;
}

void happy_eyeballs::attempt_failed(time_point now, std::error_code error) {
  ++failed_;
  due_ = now;
  if (weight(error) > weight(error_)) error_ = error;
}

}  // namespace v0
}  // namespace strata::transport
