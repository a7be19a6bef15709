// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/cancellation_signal.hpp>
#include <memory>
#include <string>
#include <system_error>

#include "driver/run_opening.hpp"
#include "strata/proxy/proxy_server.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

/// What all sessions of a server share; what changes is exchanged as a whole.
struct session_settings {
  proxy_server_options options;
  std::shared_ptr<const proxy_routes> routes;
  transport::relay_pool pool;
};

/// Whom a session tells what it does.
class session_owner {
 public:
  /// False when the user has as many sessions as allowed.
  virtual bool admit_user(const std::string& user) = 0;
  virtual void release_user(const std::string& user) noexcept = 0;
  virtual void count_failed_authentication() noexcept = 0;
  virtual void count_malformed() noexcept = 0;
  /// A request is over: once for each.
  virtual void report(const session_report& of) = 0;

 protected:
  ~session_owner() = default;
};

/// One client of a server, from its first byte to its last.
struct session {
  session(session_owner& by, std::shared_ptr<const session_settings> with, transport::address from);

  const proxy_server_options& options() const noexcept { return settings->options; }
  /// Begins to count a request.
  void begin_request(const core::request& wanted);
  /// And ends it.
  void end_request(const std::error_code& error);
  /// With what has been moved so far.
  session_report current() const;

  session_owner& owner;
  std::shared_ptr<const session_settings> settings;
  session_report report;
  std::shared_ptr<transport::relay_counters> counters;
  std::chrono::steady_clock::time_point began;
  asio::cancellation_signal stop;
  bool has_request = false;
};

/// The way of one request: an outbound, or why there is none.
struct chosen {
  std::shared_ptr<outbound> by{};
  std::error_code error{};
};

/// Serves a client until it is done.
asio::awaitable<void> serve(std::shared_ptr<session> in, std::unique_ptr<transport::stream> client);

/// Asks the rules, with the addresses of the name where one of them wants those.
asio::awaitable<chosen> choose_outbound(session& in, transport::target where, core::carried what);
asio::awaitable<std::pair<std::error_code, std::unique_ptr<transport::stream>>> dial(
    session& in, std::shared_ptr<outbound> by, transport::target where);
/// Ends a connection whose peer has been told something: it would be lost if what the peer still
/// sends were answered with a reset.
asio::awaitable<void> part(std::unique_ptr<transport::stream> client);

/// The commands but CONNECT, on a carrier whose opening has a request.
asio::awaitable<void> serve_bind(session& in, opened& on, core::inbound_opening& opening);
asio::awaitable<void> serve_association(std::shared_ptr<session> in, opened& on,
                                        core::inbound_opening& opening);
asio::awaitable<void> serve_forward(std::shared_ptr<session> in, opened& on,
                                    core::inbound_opening& opening);

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
