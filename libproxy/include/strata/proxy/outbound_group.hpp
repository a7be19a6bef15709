// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "strata/proxy/export.hpp"
#include "strata/proxy/outbound.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::proxy {
inline namespace v0 {

/// Whom a group asks first.
enum class group_policy : std::uint8_t {
  first_alive,    ///< The first in the list that is not known to be dead.
  round_robin,    ///< One after the other, without those that are dead.
  least_latency,  ///< The one whose dials took the least time lately; those not measured come
                  ///< first.
};

struct outbound_group_options {
  group_policy policy = group_policy::first_alive;
  /// A member that failed is left out for this long, doubled with each failure in a row up to
  /// `max_rest`: a proxy that is down is not asked by every connection.
  transport::duration rest = std::chrono::seconds(5);
  transport::duration max_rest = std::chrono::minutes(5);
  /// What one member may take.
  transport::duration dial_timeout = std::chrono::seconds(10);
};

struct outbound_member {
  std::string name;
  std::shared_ptr<outbound> by;
};

/// What a group thinks of a member.
struct member_state {
  std::string name;
  bool alive = true;
  transport::duration latency{0};  ///< Of dials, smoothed; zero before the first.
  std::uint64_t dials = 0;
  std::uint64_t failures = 0;
};

/// Several outbounds of which one serves. A dial whose member fails for a reason of its own goes on
/// to the next; one whose target is refused, does not exist or is forbidden is not the member's
/// fault, and is told as it is. When all are dead the one that has rested longest is tried, and
/// errc::no_outbound is told if there is none.
class STRATA_PROXY_API outbound_group final : public outbound {
 public:
  outbound_group(const asio::any_io_executor& executor, std::vector<outbound_member> members,
                 outbound_group_options options = {});
  ~outbound_group() override;

  std::vector<member_state> members() const;

 private:
  struct state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override;
  void do_associate(transport::completion<associate_signature> waiting) override;

  std::shared_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::proxy
