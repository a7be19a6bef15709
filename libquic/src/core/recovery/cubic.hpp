// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "core/recovery/window_controller.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// CUBIC (RFC 9438), with HyStart++ in the first slow start. The curve is computed in double
/// precision, once per ACK frame.
class cubic final : public window_controller {
 public:
  explicit cubic(std::uint64_t max_datagram_size, bool hystart = true) noexcept
      : window_controller(max_datagram_size, hystart) {}
  std::string_view name() const noexcept override { return "cubic"; }

 private:
  struct epoch {
    transport::time_point start;  // Moves on while the window cannot grow.
    double k = 0;                 // Seconds until the curve is back at the plateau.
    double plateau = 0;           // W_max in bytes.
    double reno_window = 0;       // W_est in bytes.
  };

  void avoid_congestion(transport::time_point now, std::uint64_t bytes,
                        transport::duration smoothed_rtt) override;
  std::uint64_t reduced_window() override;
  void on_persistent_congestion() override;
  void on_not_growing(transport::time_point now) override;
  epoch begin_epoch(transport::time_point now) const;
  double curve(const epoch&, double seconds) const;

  std::optional<epoch> epoch_;
  transport::time_point last_update_{};
  double plateau_ = 0;       // W_max in bytes; zero: none, the curve starts at its inflection.
  double window_prior_ = 0;  // cwnd_prior in bytes.
  double fraction_ = 0;      // Growth below one byte.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
