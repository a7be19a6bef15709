// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/cancellation_signal.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "driver/serving_driver.hpp"
#include "driver/tunnel_stream.hpp"
#include "strata/proxy/tunnel_server.hpp"
#include "strata/transport/connection.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

/// Accepts carriers, and knows what is under way on them.
class tunnel_server_driver final : public serving_driver {
 public:
  tunnel_server_driver(const transport::ready_list& ready, std::shared_ptr<outbound> way_out,
                       tunnel_server_options options);

  void start(std::unique_ptr<transport::stream_listener> carriers);
  transport::address local_address() const noexcept;
  void use(std::shared_ptr<outbound> way_out, std::string name);
  std::error_code use(tunnel_server_options options);
  const tunnel_server_statistics& statistics() const noexcept { return statistics_; }
  std::vector<tunnel_report> streams() const;
  void end_all() noexcept override;
  /// The handle is being destroyed.
  void abandon() noexcept;

 private:
  /// One stream, from its target to its report.
  struct ride {
    tunnel_report report{};
    std::shared_ptr<transport::relay_counters> counters =
        std::make_shared<transport::relay_counters>();
    std::unique_ptr<transport::stream> there{};
    std::chrono::steady_clock::time_point began{};
    bool has_target = false;
  };
  using shared_ride = std::shared_ptr<ride>;
  /// A coroutine that can be ended.
  struct task {
    asio::cancellation_signal stop;
    shared_ride on;  ///< Of one that may serve a stream.
  };

  void shutdown() noexcept override;
  void stop_accepting() noexcept override;
  bool is_serving() const noexcept override { return !tasks_.empty(); }
  void announce_drain(transport::duration limit) override;
  std::shared_ptr<tunnel_server_driver> self() {
    return std::static_pointer_cast<tunnel_server_driver>(shared_from_this());
  }

  void accept_next();
  void accepted(std::error_code error, std::unique_ptr<transport::stream> carrier);
  void accept_request();
  void accepted_request(std::error_code error, std::unique_ptr<mux::anytls_request> request);
  void begin(std::unique_ptr<transport::stream> carrier);
  /// `done` is called when it has ended, however.
  void spawn(asio::awaitable<void> what, const shared_ride& on, std::function<void()> done);
  void spawn_stream(asio::awaitable<void> what, const shared_ride& on,
                    const std::shared_ptr<std::size_t>& of_session);
  /// With what has been moved so far.
  static tunnel_report current(const ride& of);
  void report(const ride& of);

  // What runs; `in` keeps the driver.
  static asio::awaitable<void> serve(std::shared_ptr<tunnel_server_driver> in, shared_ride on,
                                     std::unique_ptr<transport::stream> carrier);
  static asio::awaitable<std::unique_ptr<transport::stream>> open(
      std::shared_ptr<tunnel_server_driver> in, std::unique_ptr<transport::stream> carrier);
  static asio::awaitable<void> serve_yamux(std::shared_ptr<tunnel_server_driver> in,
                                           std::unique_ptr<transport::stream> link);
  static asio::awaitable<void> serve_stream(std::shared_ptr<tunnel_server_driver> in,
                                            shared_ride on,
                                            std::unique_ptr<transport::stream> client);
  static asio::awaitable<void> serve_simple(std::shared_ptr<tunnel_server_driver> in,
                                            shared_ride on, std::unique_ptr<tunnel_stream> client);
  static asio::awaitable<void> serve_request(std::shared_ptr<tunnel_server_driver> in,
                                             shared_ride on,
                                             std::unique_ptr<mux::anytls_request> request);
  static asio::awaitable<void> serve_datagrams(std::shared_ptr<tunnel_server_driver> in,
                                               shared_ride on,
                                               std::unique_ptr<mux::anytls_request> request);
  /// What it comes to is reported from here on.
  void begin_ride(ride& of) const;
  /// True when the target is connected.
  static asio::awaitable<bool> dial(std::shared_ptr<tunnel_server_driver> in, shared_ride on,
                                    transport::target where);
  static asio::awaitable<void> relay(std::shared_ptr<tunnel_server_driver> in, shared_ride on,
                                     std::unique_ptr<transport::stream> client);

  std::shared_ptr<outbound> way_out_;
  tunnel_server_options options_;
  std::unique_ptr<transport::stream_listener> carriers_;
  std::unique_ptr<mux::anytls_listener> anytls_;
  transport::page_pool pages_;
  transport::relay_pool relays_;
  tunnel_server_statistics statistics_;
  std::list<std::shared_ptr<task>> tasks_;
  std::list<std::weak_ptr<transport::connection>> muxes_;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
