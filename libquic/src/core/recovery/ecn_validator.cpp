// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/ecn_validator.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

namespace {
// RFC 9000 section 13.4.2: marks may be what gets packets dropped, so only the first ten are sent
// on suspicion.
constexpr std::uint64_t packets_to_test = 10;
}  // namespace

transport::ecn ecn_validator::mark() const noexcept {
  //= RFC 9000 section 13.4.2.2
  //# an endpoint MUST disable ECN if validation later fails
  const bool marked = state_ == state::testing || state_ == state::capable;
  return marked ? transport::ecn::ect0 : transport::ecn::not_ect;
}

void ecn_validator::on_packet_sent(packet_number_space space) noexcept {
  ++spaces_[static_cast<std::size_t>(space)].sent;
  ++sent_;
  if (state_ == state::testing && sent_ >= packets_to_test) state_ = state::unknown;
}

void ecn_validator::on_packets_lost(std::uint64_t marked) noexcept {
  if (state_ != state::testing && state_ != state::unknown) return;
  lost_ += marked;
  if (state_ == state::unknown && lost_ >= sent_) state_ = state::failed;
}

bool ecn_validator::plausible(const feedback& f) const noexcept {
  if (!f.counts) return f.acknowledged_marked == 0;
  const space_counts& space = spaces_[static_cast<std::size_t>(f.space)];
  const ecn_counts& before = space.reported;
  const ecn_counts& now = *f.counts;
  if (now.ect0 < before.ect0 || now.ect1 < before.ect1 || now.ecn_ce < before.ecn_ce) return false;
  const std::uint64_t more_ect0 = now.ect0 - before.ect0;
  const std::uint64_t more_ce = now.ecn_ce - before.ecn_ce;
  // Both are below 2^62, as everything on the wire.
  if (more_ect0 + more_ce < f.acknowledged_marked) return false;
  return now.ect1 == 0 && now.ect0 <= space.sent;
}

bool ecn_validator::on_ack(const feedback& f) noexcept {
  if (state_ == state::failed) return false;
  //= RFC 9000 section 13.4.2.1
  //# An
  //# endpoint MUST NOT fail ECN validation as a result of processing an ACK frame
  //# that does not increase the largest acknowledged packet number.
  if (!f.largest_increased) return false;
  if (!plausible(f)) {
    //= RFC 9000 section 13.4.2.2
    //# If validation fails, then the endpoint MUST disable ECN.
    state_ = state::failed;
    return false;
  }
  if (!f.counts) return false;
  ecn_counts& reported = spaces_[static_cast<std::size_t>(f.space)].reported;
  const bool congestion = f.counts->ecn_ce > reported.ecn_ce;
  reported = *f.counts;
  if (f.acknowledged_marked != 0) state_ = state::capable;
  return congestion;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
