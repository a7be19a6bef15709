// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <memory>
#include <mutex>

#include "strata/transport/asio_version.hpp"

namespace strata::transport {
inline namespace v0 {

class driver_registry;

/// What owns sockets, timers, a core and waiting handlers on one serial executor. Handles share it;
/// the registry of its execution context knows it, so that neither outlives the other badly:
///   - a handle that outlives its context would use a dead socket;
///   - a context destroyed with an operation pending would leak the ring driver -> handler ->
///     coroutine frame -> handle -> driver.
/// Make one with make_driver. It must be owned by a std::shared_ptr.
///
/// How to write one (ready_list.hpp goes on from here):
///
///     class echo_driver final : public transport::driver {
///      public:
///       explicit echo_driver(const transport::ready_list& ready)
///           : ready_(ready), timer_(std::in_place, ready.executor()) {}
///       void wait(transport::completion<transport::status_signature> waiting);
///       void abort();  // also what the handle's destructor calls: pending operations are aborted
///
///      private:
///       void shutdown() noexcept override {
///         dead_ = true;                           // 1. From now on every function does nothing:
///         const auto waiting = waiting_.take();   // 2. handlers die when this returns, and may
///         timer_.reset();                         //    destroy handles on this very driver.
///       }                                         // 3. Sockets and timers go with the context.
///       transport::ready_list ready_;             // Keeps the executor; keep it nowhere else,
///       std::optional<asio::steady_timer> timer_; // because a strand needs the context, too.
///       transport::pending_operation<transport::status_signature> waiting_;
///       bool dead_ = false;
///     };
///     const transport::ready_list ready(executor);
///     const auto made = transport::make_driver<echo_driver>(executor, ready);
///
/// A receive loop captures the shared_ptr and so keeps its driver alive; a pending operation never
/// does: what cancels it captures a weak_ptr (pending_operation::start). The last handle's
/// destructor ends the loop.
class STRATA_TRANSPORT_API driver : public std::enable_shared_from_this<driver> {
 public:
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;
  /// Leaves the registry.
  virtual ~driver();

 protected:
  driver() = default;

 private:
  friend class driver_registry;
  /// The execution context is being destroyed. Move out and destroy pending handlers uninvoked,
  /// destroy sockets, timers and executors, and be inert from then on. Called at most once, by the
  /// registry only.
  virtual void shutdown() noexcept = 0;

  driver_registry* registry_ = nullptr;
  driver* previous_ = nullptr;
  driver* next_ = nullptr;
};

/// The drivers of one execution context. It is a service of that context, created after Asio's own
/// for sockets and timers and therefore shut down before them.
class STRATA_TRANSPORT_API driver_registry final : public asio::execution_context::service {
 public:
  static asio::execution_context::id id;

  /// The registry of the context that `executor` runs on; created when it is not there yet.
  static driver_registry& of(const asio::any_io_executor& executor);

  explicit driver_registry(asio::execution_context& context) : service(context) {}
  /// From any thread. In a context that is being destroyed the driver is shut down at once.
  void add(driver& added);

 private:
  friend class driver;
  void shutdown() noexcept override;
  void remove(driver& removed) noexcept;
  void unlink(driver& removed) noexcept;

  std::mutex mutex_;  // drivers on different serial executors come and go at the same time
  driver* first_ = nullptr;
  bool shut_down_ = false;
};

/// A registered driver, constructed from `args`.
template <class Driver, class... Args>
std::shared_ptr<Driver> make_driver(const asio::any_io_executor& executor, Args&&... args) {
  auto made = std::make_shared<Driver>(std::forward<Args>(args)...);
  driver_registry::of(executor).add(*made);
  return made;
}

}  // namespace v0
}  // namespace strata::transport
