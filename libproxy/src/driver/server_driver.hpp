// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "driver/serving_driver.hpp"
#include "driver/session.hpp"
#include "strata/proxy/proxy_server.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

/// Accepts clients, holds their number within limits, and knows their sessions.
class server_driver final : public serving_driver, public session_owner {
 public:
  server_driver(const transport::ready_list& ready,
                std::unique_ptr<transport::stream_listener> clients,
                std::shared_ptr<const session_settings> settings);

  transport::address local_address() const noexcept;
  const std::string& name() const noexcept { return settings_->options.name; }
  void accept_next();
  void use(std::shared_ptr<const proxy_routes> routes);
  void use(std::shared_ptr<const core::user_table> users);
  void use(proxy_server_options options);
  const proxy_statistics& statistics() const noexcept { return statistics_; }
  std::vector<session_report> sessions() const;
  void end_all() noexcept override;

 private:
  void shutdown() noexcept override;
  void stop_accepting() noexcept override { clients_->close(); }
  bool is_serving() const noexcept override { return !sessions_.empty(); }
  bool admit_user(const std::string& user) override;
  void release_user(const std::string& user) noexcept override;
  void count_failed_authentication() noexcept override { ++statistics_.authentication_failures; }
  void count_malformed() noexcept override { ++statistics_.malformed; }
  void report(const session_report& of) override;

  std::shared_ptr<server_driver> self();
  void accepted(std::error_code error, std::unique_ptr<transport::stream> client);
  void begin(std::unique_ptr<transport::stream> client);
  void ended(const std::shared_ptr<session>& which, const std::string& source) noexcept;

  std::unique_ptr<transport::stream_listener> clients_;
  std::shared_ptr<const session_settings> settings_;
  proxy_statistics statistics_;
  std::list<std::shared_ptr<session>> sessions_;
  std::unordered_map<std::string, std::size_t> by_user_;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
