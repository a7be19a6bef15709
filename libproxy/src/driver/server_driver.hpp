// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "driver/session.hpp"
#include "strata/proxy/proxy_server.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

/// Accepts clients, holds their number within limits, and knows their sessions.
class server_driver final : public transport::driver, public session_owner {
 public:
  server_driver(const transport::ready_list& ready,
                std::unique_ptr<transport::stream_listener> clients,
                std::shared_ptr<const session_settings> settings);

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  transport::address local_address() const noexcept;
  const std::string& name() const noexcept { return settings_->options.name; }
  void accept_next();
  void use(std::shared_ptr<const proxy_routes> routes);
  void use(std::shared_ptr<const core::user_table> users);
  void use(proxy_server_options options);
  const proxy_statistics& statistics() const noexcept { return statistics_; }
  std::vector<session_report> sessions() const;
  void close() noexcept;
  void drain(transport::duration limit, transport::completion<transport::status_signature> waiting);
  void end_all() noexcept;

 private:
  void shutdown() noexcept override;
  bool admit_user(const std::string& user) override;
  void release_user(const std::string& user) noexcept override;
  void count_failed_authentication() noexcept override { ++statistics_.authentication_failures; }
  void count_malformed() noexcept override { ++statistics_.malformed; }
  void report(const session_report& of) override;

  std::shared_ptr<server_driver> self();
  void accepted(std::error_code error, std::unique_ptr<transport::stream> client);
  void begin(std::unique_ptr<transport::stream> client);
  void ended(const std::shared_ptr<session>& which, const std::string& source) noexcept;
  void finish_drain(std::error_code error) noexcept;

  transport::ready_list ready_;
  std::unique_ptr<transport::stream_listener> clients_;
  std::shared_ptr<const session_settings> settings_;
  proxy_statistics statistics_;
  std::list<std::shared_ptr<session>> sessions_;
  std::unordered_map<std::string, std::size_t> by_source_;
  std::unordered_map<std::string, std::size_t> by_user_;
  /// For want of descriptors, say: some come back.
  std::optional<asio::steady_timer> rest_;
  std::optional<asio::steady_timer> drain_deadline_;
  transport::pending_operation<transport::status_signature> draining_;
  bool closed_ = false;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
