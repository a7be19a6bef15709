// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "driver/connection_driver.hpp"
#include "strata/h3/server.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

/// What every run of a handler needs.
struct application {
  request_handler handler;
  std::shared_ptr<spdlog::logger> log;
};

/// Accepts connections, and runs a handler for every request that comes on one.
class server_driver final : public transport::driver, public connection_owner {
 public:
  server_driver(const transport::ready_list& ready, quic::endpoint endpoint, server_options options,
                request_handler handler);

  void start() { accept(); }
  const asio::any_io_executor& executor() const noexcept { return ready_.executor(); }
  const transport::address& local_address() const noexcept { return local_; }
  quic::core::endpoint_statistics statistics() const noexcept;
  std::size_t connection_count() const noexcept { return connections_.size(); }
  void shut_down(transport::duration deadline, completion<status_signature> waiting);
  void use(transport::tls_context server_tls);
  void stop() noexcept;

 private:
  void shutdown() noexcept override;
  void on_request(exchange incoming) override;
  void on_closed(connection_driver& connection) override;
  void accept();
  void on_accepted(quic::connection connection);
  void start_handlers();
  void finish_shutdown();
  std::weak_ptr<server_driver> weak() {
    return std::static_pointer_cast<server_driver>(weak_from_this().lock());
  }

  transport::ready_list ready_;
  std::optional<quic::endpoint> endpoint_;
  transport::address local_;
  core::connection_config http_;
  std::function<void(quic::connection)> other_protocol_;
  std::shared_ptr<const application> application_;
  std::unordered_map<connection_driver*, std::shared_ptr<connection_driver>> connections_;
  std::deque<exchange> starting_;
  completion<status_signature> draining_;
  bool cut_off_ = false;
  bool stopping_ = false;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
