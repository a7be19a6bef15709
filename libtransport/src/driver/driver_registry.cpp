// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/driver_registry.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>
#include <utility>

namespace strata::transport {
inline namespace v0 {

asio::execution_context::id driver_registry::id;

driver::~driver() {
  if (registry_ != nullptr) registry_->remove(*this);
}

driver_registry& driver_registry::of(const asio::any_io_executor& executor) {
  asio::execution_context& context = asio::query(executor, asio::execution::context);
  if (!asio::has_service<driver_registry>(context)) {
    // Services are shut down youngest first: make sure that those our drivers stand on are older.
    const asio::ip::tcp::socket stream_sockets(executor);
    const asio::ip::udp::socket datagram_sockets(executor);
    const asio::ip::tcp::resolver names(executor);
    const asio::steady_timer timers(executor);
  }
  return asio::use_service<driver_registry>(context);
}

void driver_registry::add(driver& added) {
  {
    const std::scoped_lock lock(mutex_);
    if (!shut_down_) {
      added.registry_ = this;
      added.next_ = first_;
      if (first_ != nullptr) first_->previous_ = &added;
      first_ = &added;
      return;
    }
  }
  added.shutdown();
}

void driver_registry::remove(driver& removed) noexcept {
  const std::scoped_lock lock(mutex_);
  if (removed.registry_ != nullptr) unlink(removed);
}

void driver_registry::unlink(driver& removed) noexcept {
  if (removed.previous_ != nullptr) {
    removed.previous_->next_ = removed.next_;
  } else {
    first_ = removed.next_;
  }
  if (removed.next_ != nullptr) removed.next_->previous_ = removed.previous_;
  removed.previous_ = removed.next_ = nullptr;
  removed.registry_ = nullptr;
}

void driver_registry::shutdown() noexcept {
  std::unique_lock lock(mutex_);
  shut_down_ = true;
  while (first_ != nullptr) {
    driver& next = *first_;
    unlink(next);
    lock.unlock();
    // The handlers it destroys may own the last handle, and other drivers, which leave the list
    // meanwhile.
    if (const auto kept = next.weak_from_this().lock()) kept->shutdown();
    lock.lock();
  }
}

}  // namespace v0
}  // namespace strata::transport
