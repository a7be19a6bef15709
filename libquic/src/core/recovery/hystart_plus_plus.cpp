// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/hystart_plus_plus.hpp"

#include <algorithm>

#include "core/recovery/saturating_time.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

namespace {
// RFC 9406 section 4.3. Growth per ACK is not limited (L = infinity), since sending is paced.
constexpr transport::duration smallest_threshold = std::chrono::milliseconds(4);
constexpr transport::duration largest_threshold = std::chrono::milliseconds(16);
constexpr int minimum_rtt_divisor = 8;
constexpr std::uint32_t samples_wanted = 8;
constexpr std::uint32_t conservative_growth_divisor = 4;
constexpr std::uint32_t conservative_rounds = 5;
}  // namespace

void hystart_plus_plus::begin_round(std::uint64_t window_end) noexcept {
  window_end_ = window_end;
  last_round_minimum_ = current_round_minimum_;
  current_round_minimum_ = transport::duration::max();
  samples_ = 0;
}

void hystart_plus_plus::sample(transport::duration rtt) noexcept {
  current_round_minimum_ = std::min(current_round_minimum_, rtt);
  ++samples_;
  if (samples_ < samples_wanted) return;
  if (phase_ == phase::conservative_slow_start) {
    if (current_round_minimum_ < baseline_minimum_) {
      baseline_minimum_ = transport::duration::max();
      phase_ = phase::slow_start;
    }
    return;
  }
  if (last_round_minimum_ == transport::duration::max()) return;
  const transport::duration threshold =
      std::clamp(last_round_minimum_ / minimum_rtt_divisor, smallest_threshold, largest_threshold);
  if (current_round_minimum_ >= saturating_add(last_round_minimum_, threshold)) {
    baseline_minimum_ = current_round_minimum_;
    phase_ = phase::conservative_slow_start;
    conservative_rounds_ = 0;
  }
}

std::uint64_t hystart_plus_plus::on_acknowledged(const acknowledged_batch& batch,
                                                 transport::duration latest_rtt) noexcept {
  const std::uint64_t bytes = batch.bytes_out_of_recovery;
  if (phase_ == phase::done) return bytes;
  if (!round_started_ || batch.largest_packet_number >= window_end_) {
    // A round in which the conservative phase began counts, though it was only a part of it (RFC
    // 9406 section 4.2).
    if (round_started_ && phase_ == phase::conservative_slow_start) ++conservative_rounds_;
    round_started_ = true;
    if (conservative_rounds_ >= conservative_rounds) {
      phase_ = phase::done;
      return 0;
    }
    begin_round(batch.next_packet_number);
  }
  if (batch.rtt_sampled) sample(latest_rtt);
  if (phase_ != phase::conservative_slow_start) return bytes;
  const std::uint64_t quarters = bytes + growth_remainder_;
  growth_remainder_ = static_cast<std::uint32_t>(quarters % conservative_growth_divisor);
  return quarters / conservative_growth_divisor;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
