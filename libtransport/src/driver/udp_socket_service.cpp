// SPDX-License-Identifier: Apache-2.0
#include "driver/udp_socket_service.hpp"

#include <utility>

namespace strata::transport {
inline namespace v0 {
namespace {

/// Sets kept for reuse; more than that existed only because turns kept their input for long.
constexpr std::size_t max_free_sets = 4;

}  // namespace

asio::execution_context::id udp_socket_service::id;

udp_slots udp_socket_service::take_slots() {
  const std::scoped_lock lock(mutex_);
  if (free_.empty()) {
    // Room to come back is made now, where failing is possible.
    free_.reserve(max_free_sets);
    udp_slots fresh{std::make_unique_for_overwrite<std::byte[]>(udp_max_batches * udp_slot_size)};
    ++allocated_;
    return fresh;
  }
  udp_slots slots = std::move(free_.back());  // the last one used is the one still in the cache
  free_.pop_back();
  return slots;
}

void udp_socket_service::give_back(udp_slots slots) noexcept {
  const std::scoped_lock lock(mutex_);
  if (free_.size() < max_free_sets) {
    free_.push_back(std::move(slots));
  } else {
    --allocated_;
  }
}

std::size_t udp_socket_service::slot_sets() const {
  const std::scoped_lock lock(mutex_);
  return allocated_;
}

}  // namespace v0
}  // namespace strata::transport
