// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <system_error>
#include <vector>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::transport {
inline namespace v0 {

/// Most addresses of one name that are tried: whoever answers for the name must not make us knock
/// on hundreds of doors.
inline constexpr std::size_t max_dial_addresses = 16;

/// RFC 8305 section 4, with a First Address Family Count of one: the resolver's order, which is RFC
/// 6724's, with the families taken in turns. Keeps the first max_dial_addresses, without
/// repetitions.
std::vector<address> interleave_families(const std::vector<address>& resolved);

/// Which address to try when (RFC 8305 section 5): one after the other, the next as soon as one
/// failed or the last one has been silent for a while. It decides only: the caller connects, and
/// asks again after every failure and at next_timeout().
class happy_eyeballs {
 public:
  happy_eyeballs(std::vector<address> addresses, duration attempt_delay);

  /// The attempt to start now, or nothing. Ask until nothing.
  std::optional<std::size_t> poll_attempt(time_point now);
  std::optional<time_point> next_timeout() const;
  void attempt_failed(time_point now, std::error_code error);
  /// Every attempt has failed.
  bool is_exhausted() const noexcept { return failed_ == addresses_.size(); }
  /// The most telling failure so far.
  const std::error_code& error() const noexcept { return error_; }
  const std::vector<address>& addresses() const noexcept { return addresses_; }

 private:
  std::vector<address> addresses_;
  duration attempt_delay_;
  time_point due_ = time_point::min();
  std::size_t started_ = 0;
  std::size_t failed_ = 0;
  std::error_code error_;
};

}  // namespace v0
}  // namespace strata::transport
