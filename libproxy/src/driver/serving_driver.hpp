// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <unordered_map>

#include "strata/transport/completion.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

/// What drivers of servers share: how many clients each source has, a rest when accepting fails,
/// closing, and the drain that ends when nothing is served any more.
class serving_driver : public transport::driver {
 public:
  asio::any_io_executor executor() const noexcept { return ready_.executor(); }

  /// Stops accepting. What is served goes on.
  void close() noexcept;
  void drain(transport::duration limit, transport::completion<transport::status_signature> waiting);
  /// Ends what is served.
  virtual void end_all() noexcept = 0;

 protected:
  explicit serving_driver(const transport::ready_list& ready);
  ~serving_driver() override = default;

  /// Overrides have moved what they own into locals and call it then: what it destroys may call
  /// back.
  void shutdown() noexcept override;

  bool is_dead() const noexcept { return dead_; }
  bool is_accepting() const noexcept { return !dead_ && !closed_; }
  /// For want of descriptors, say: some come back.
  void rest_then(std::function<void()> what);

  std::size_t clients_of(const std::string& source) const;
  void add_client(const std::string& source) { ++by_source_[source]; }
  void remove_client(const std::string& source) noexcept;

  /// Something that was served has ended, and is not counted by is_serving() any more.
  void on_served() noexcept;

 private:
  /// Once.
  virtual void stop_accepting() noexcept = 0;
  virtual bool is_serving() const noexcept = 0;
  /// Clients may be told to ask for no more.
  virtual void announce_drain(transport::duration) {}
  void finish_drain(std::error_code error) noexcept;

  transport::ready_list ready_;
  std::unordered_map<std::string, std::size_t> by_source_;
  std::optional<asio::steady_timer> rest_;
  std::optional<asio::steady_timer> drain_deadline_;
  transport::pending_operation<transport::status_signature> draining_;
  bool closed_ = false;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
