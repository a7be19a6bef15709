// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/execution_context.hpp>
#include <mutex>
#include <vector>

#include "driver/udp_socket_system.hpp"

namespace strata::transport {
inline namespace v0 {

/// The slots that all sockets of one execution context receive into.
///
/// They are taken when there is something to read and given back before the next wait, so a context
/// with thousands of idle sockets owns one set for each turn that runs at the same time.
class udp_socket_service final : public asio::execution_context::service {
 public:
  using key_type = udp_socket_service;
  static asio::execution_context::id id;

  explicit udp_socket_service(asio::execution_context& context) : service(context) {}

  /// Throws std::bad_alloc.
  udp_slots take_slots();
  void give_back(udp_slots slots) noexcept;
  /// Sets allocated and not freed, lent ones included.
  std::size_t slot_sets() const;

 private:
  void shutdown() override {}

  mutable std::mutex mutex_;
  std::vector<udp_slots> free_;
  std::size_t allocated_ = 0;
};

}  // namespace v0
}  // namespace strata::transport
