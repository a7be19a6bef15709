// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/incoming_attempts.hpp"

#include <utility>

#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

decision default_admission(const incoming_attempt& attempt,
                           const endpoint_statistics& statistics) noexcept {
  if (statistics.half_open >= limits::max_half_open) return decision::ignore;
  // With so many handshakes under way a flood is likely: ask for proof of the address before
  // spending more on it.
  const bool crowded = statistics.half_open >= limits::half_open_before_retry;
  return crowded && !attempt.address_validated ? decision::retry : decision::accept;
}

bool incoming_attempts::append(const connection_id& destination, const transport::address& remote,
                               transport::bytes datagram) {
  const auto found = by_destination_.find(destination);
  if (found == by_destination_.end()) return false;
  attempt& waiting = attempts_.at(found->second);
  const bool fits = waiting.bytes + datagram.size() <= limits::max_pending_incoming_bytes;
  if (waiting.visible.remote == remote && fits) {
    waiting.datagrams.emplace_back(datagram.begin(), datagram.end());
    waiting.bytes += datagram.size();
  }
  return true;
}

std::optional<std::uint64_t> incoming_attempts::add(attempt first) {
  if (attempts_.size() == limits::max_pending_incoming) return std::nullopt;
  const std::uint64_t number = next_++;
  by_destination_.emplace(first.destination, number);
  attempts_.emplace(number, std::move(first));
  return number;
}

const incoming_attempts::attempt* incoming_attempts::find(std::uint64_t number) const {
  const auto found = attempts_.find(number);
  return found == attempts_.end() ? nullptr : &found->second;
}

std::optional<incoming_attempts::attempt> incoming_attempts::take(std::uint64_t number) {
  auto node = attempts_.extract(number);
  if (node.empty()) return std::nullopt;
  by_destination_.erase(node.mapped().destination);
  return std::move(node.mapped());
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
