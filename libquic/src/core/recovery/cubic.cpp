// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/cubic.hpp"

#include <algorithm>
#include <cmath>

#include "core/recovery/saturating_time.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

namespace {

// RFC 9438 sections 4.1 and 4.3.
constexpr double beta = 0.7;
constexpr double c = 0.4;  // Datagrams per cubic second.
constexpr double reno_increase = 3 * (1 - beta) / (1 + beta);

double seconds(transport::duration d) { return std::chrono::duration<double>(d).count(); }

std::uint64_t whole_bytes(double bytes) {
  return bytes > 0 ? static_cast<std::uint64_t>(std::min(bytes, 0x1p50)) : 0;
}

}  // namespace

double cubic::curve(const epoch& e, double t) const {
  // RFC 9438 section 4.2, figure 1.
  const double distance = t - e.k;
  return c * distance * distance * distance * static_cast<double>(max_datagram_size()) + e.plateau;
}

cubic::epoch cubic::begin_epoch(transport::time_point now) const {
  const double size = static_cast<double>(window());
  epoch e{.start = now, .k = 0, .plateau = size, .reno_window = size};
  // RFC 9438 sections 4.8 and 4.10: without a W_max above the window (slow start left without loss,
  // or persistent congestion) the stage starts at the inflection.
  if (plateau_ > size) {
    e.plateau = plateau_;
    e.k = std::cbrt((plateau_ - size) / static_cast<double>(max_datagram_size()) / c);
  }
  return e;
}

void cubic::avoid_congestion(transport::time_point now, std::uint64_t bytes,
                             transport::duration smoothed_rtt) {
  if (!epoch_) epoch_ = begin_epoch(now);
  last_update_ = now;
  const double size = static_cast<double>(window());
  const double acknowledged = static_cast<double>(bytes);
  const double t = seconds(elapsed(epoch_->start, now));

  // RFC 9438 section 4.3: what Reno would have reached. Past the window before the reduction it
  // grows like Reno does.
  const double alpha = epoch_->reno_window >= window_prior_ ? 1.0 : reno_increase;
  epoch_->reno_window += alpha * static_cast<double>(max_datagram_size()) * acknowledged / size;

  if (curve(*epoch_, t) < epoch_->reno_window) {
    fraction_ = 0;
    grow(whole_bytes(epoch_->reno_window - size));
    return;
  }
  // RFC 9438 sections 4.4 and 4.5: the target is where the curve will be a round trip from now, in
  // bounds.
  const double target = std::clamp(curve(*epoch_, t + seconds(smoothed_rtt)), size, 1.5 * size);
  const double growth = std::min((target - size) * acknowledged / size, target - size);
  // An ACK of few bytes in a large window adds less than a byte: keep it until it is one.
  fraction_ += growth;
  const std::uint64_t whole = whole_bytes(fraction_);
  fraction_ = std::clamp(fraction_ - static_cast<double>(whole), 0.0, 1.0);
  grow(whole);
}

std::uint64_t cubic::reduced_window() {
  const double size = static_cast<double>(window());
  // RFC 9438 section 4.7, fast convergence: a flow that fell before it was back gives up some of
  // its share to others.
  plateau_ = size < plateau_ ? size * (1 + beta) / 2 : size;
  window_prior_ = size;
  fraction_ = 0;
  epoch_.reset();
  // RFC 9438 section 4.6. The window stands for the flight, since it only grows when it is in use.
  return static_cast<std::uint64_t>(size * beta);
}

void cubic::on_persistent_congestion() {
  // RFC 9438 section 4.8: the stage after the next slow start begins at its inflection.
  plateau_ = 0;
  fraction_ = 0;
  epoch_.reset();
}

void cubic::on_not_growing(transport::time_point now) {
  // RFC 9438 section 4.2: the curve's clock stands while the window is not in use, or it would jump
  // afterwards.
  if (!epoch_) return;
  epoch_->start = saturating_add(epoch_->start, elapsed(last_update_, now));
  last_update_ = std::max(last_update_, now);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
