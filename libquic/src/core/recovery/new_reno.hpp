// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/recovery/window_controller.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The controller of RFC 9002 section 7 and appendix B, with HyStart++ in the first slow start.
class new_reno final : public window_controller {
 public:
  explicit new_reno(std::uint64_t max_datagram_size, bool hystart = true) noexcept
      : window_controller(max_datagram_size, hystart) {}
  std::string_view name() const noexcept override { return "new_reno"; }

 private:
  void avoid_congestion(transport::time_point now, std::uint64_t bytes,
                        transport::duration smoothed_rtt) override;
  std::uint64_t reduced_window() override;
  void on_persistent_congestion() override { acknowledged_ = 0; }

  std::uint64_t acknowledged_ = 0;  // Bytes towards the next datagram's growth.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
