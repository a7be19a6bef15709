// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/async_result.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/proxy/core/inbound_opening.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/proxy/core/routing_table.hpp"
#include "strata/proxy/export.hpp"
#include "strata/proxy/outbound.hpp"
#include "strata/transport/completion.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/relay.hpp"
#include "strata/transport/resolver.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::proxy {
inline namespace v0 {

namespace detail {
class server_driver;
}

/// Which way each request goes. Shared by any number of servers, and exchanged as a whole.
struct proxy_routes {
  core::routing_table table{};
  /// By the names that the rules use.
  std::map<std::string, std::shared_ptr<outbound>, std::less<>> outbounds{};
  /// For rules that look names up; null: such rules match no name.
  std::shared_ptr<transport::resolver> names{};
};

/// What one request has come to: for logs and figures. It holds nothing secret.
struct session_report {
  std::string inbound;
  transport::address client;
  core::request request;  ///< As far as there was one.
  std::string rule;       ///< That decided; empty for the default.
  std::string outbound;
  std::error_code error;            ///< What ended it; none when all was in order.
  transport::relay_counters moved;  ///< forth: from the client to the target.
  transport::duration lasted{0};
  /// How long the outbound took to connect; none before it has, and where it needed not to.
  std::optional<transport::duration> connecting{};
};

/// What a proxy says for itself.
struct proxy_page {
  std::string content_type;
  std::string content;
};

struct proxy_server_options {
  std::string name = "default";  ///< Of this inbound, for rules and reports.
  core::inbound_config inbound{};
  /// Let a server without users listen where other hosts reach it. Without this, that is refused:
  /// it would be a relay for everybody.
  bool open_to_strangers = false;

  transport::duration opening_timeout = core::limits::opening_timeout;
  transport::duration connect_timeout = core::limits::connect_timeout;
  /// How long the answer to a wrong password waits.
  transport::duration refusal_delay = core::limits::refusal_delay;
  transport::duration half_closed = core::limits::half_closed_timeout;
  transport::duration idle_timeout{0};  ///< Of tunnels; zero: for ever.
  transport::duration association_idle = core::limits::association_idle;

  std::size_t max_connections = core::limits::max_connections;
  std::size_t max_per_source = core::limits::max_connections_per_source;
  std::size_t max_per_user = 0;  ///< Zero: no limit.

  /// Called once for each request when it is over, on the executor; it must not block.
  std::function<void(const session_report&)> on_ended{};
  /// Pages of its own, with `inbound.pages`: a PAC file, say.
  std::function<std::optional<proxy_page>(std::string_view path)> page{};
};

struct proxy_statistics {
  std::uint64_t accepted = 0;
  std::uint64_t refused_by_limits = 0;
  std::uint64_t authentication_failures = 0;
  std::uint64_t malformed = 0;  ///< What was neither SOCKS nor HTTP, or broke them.
  std::uint64_t failed = 0;     ///< Requests whose target could not be connected.
  std::uint64_t succeeded = 0;
  std::size_t active = 0;
  transport::relay_counters moved{};  ///< Of those that have ended.
};

/// A proxy for SOCKS4, SOCKS4a, SOCKS5 and HTTP on one port. What a client asks for is connected
/// through an outbound before it is told of success, and a failure is told in the protocol's words.
/// Everything runs on the listener's executor.
///
/// Destroying it stops accepting and ends all sessions.
class STRATA_PROXY_API proxy_server {
 public:
  using executor_type = asio::any_io_executor;

  /// authentication_required for a listener that other hosts reach, without users
  /// (proxy_server_options::open_to_strangers).
  static transport::result<std::unique_ptr<proxy_server>> start(
      std::unique_ptr<transport::stream_listener> clients,
      std::shared_ptr<const proxy_routes> routes, proxy_server_options options = {});
  ~proxy_server();
  proxy_server(const proxy_server&) = delete;
  proxy_server& operator=(const proxy_server&) = delete;

  executor_type get_executor() noexcept;
  transport::address local_address() const noexcept;
  /// Valid until the next use() of options.
  const std::string& name() const noexcept;

  /// For requests that come from now on; those under way go on as they are.
  void use(std::shared_ptr<const proxy_routes> routes);
  void use(std::shared_ptr<const core::user_table> users);
  /// For clients that come from now on; limits count those that are there. Fails as start() does,
  /// and then nothing changes.
  std::error_code use(proxy_server_options options);

  proxy_statistics statistics() const;
  /// Those that are under way, with what they have moved so far.
  std::vector<session_report> sessions() const;

  /// Stops accepting. Sessions go on.
  void close() noexcept;
  /// Stops accepting, and completes when the last session has ended: without error when it did so
  /// by itself, timed_out when the rest was ended at the deadline.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_drain(transport::duration deadline, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(initiate_drain{this}, token,
                                                                    deadline);
  }

 private:
  struct initiate_drain {
    using executor_type = asio::any_io_executor;
    proxy_server* self;
    executor_type get_executor() const noexcept { return self->get_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, transport::duration deadline) const {
      self->drain(deadline, transport::make_completion<transport::status_signature>(
                                std::forward<Handler>(handler), self->get_executor()));
    }
  };

  explicit proxy_server(std::shared_ptr<detail::server_driver> driver) noexcept;
  void drain(transport::duration deadline, transport::completion<transport::status_signature>);

  std::shared_ptr<detail::server_driver> driver_;
};

}  // namespace v0
}  // namespace strata::proxy
