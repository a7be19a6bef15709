// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/async_result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/mux/anytls.hpp"
#include "strata/mux/yamux.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/proxy/core/tunnel_wire.hpp"
#include "strata/proxy/export.hpp"
#include "strata/proxy/outbound.hpp"
#include "strata/transport/completion.hpp"
#include "strata/transport/relay.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::proxy {
inline namespace v0 {

namespace detail {
class tunnel_server_driver;
}

/// What one tunnelled stream has come to.
struct tunnel_report {
  enum class carrier : std::uint8_t { yamux, simple, anytls };

  carrier by = carrier::yamux;
  transport::address client;
  std::string user{};      ///< Of anytls.
  bool datagrams = false;  ///< Whether it carried those (udp-over-tcp).
  /// Of datagrams: where the first went.
  transport::target where{transport::address()};
  std::string outbound{};             ///< What the way out was called.
  std::error_code error{};            ///< What ended it; none when all was in order.
  transport::relay_counters moved{};  ///< forth: from the client to the target.
  transport::duration lasted{0};
  /// How long the outbound took to connect; none before it has.
  std::optional<transport::duration> connecting{};
};

struct tunnel_server_options {
  /// Who shows it is a client: as the WebSocket's only or one of several subprotocols, or anywhere
  /// in the path.
  std::string uuid{};
  std::string outbound{};  ///< What the way out is called in reports.

  /// Of a WebSocket to its first message, and of a stream to its whole target.
  transport::duration opening_timeout = core::limits::opening_timeout;
  transport::duration connect_timeout = core::limits::connect_timeout;
  transport::duration half_closed = core::limits::half_closed_timeout;
  transport::duration idle_timeout{0};  ///< Of streams; zero: for ever.
  /// Of streams that carry datagrams, which have no other end when their client forgets them.
  transport::duration association_idle = core::limits::association_idle;
  /// Silence after which a client is asked for a sign of life.
  std::chrono::milliseconds health_interval = std::chrono::seconds(30);

  std::size_t max_sessions = core::limits::max_tunnel_sessions;
  std::size_t max_per_source = core::limits::max_tunnel_sessions_per_source;
  std::size_t max_streams = core::limits::max_tunnel_streams;  ///< Of one session.
  mux::yamux_options session{};

  /// With it the port serves anytls as well: what does not begin as anytls of one of its users is
  /// taken for HTTP. Its `fallback` is the server's own. Streams that ask for datagrams
  /// (udp-over-tcp) go through what the outbound associates, one association each.
  std::optional<mux::anytls_options> anytls{};

  /// Called once for each stream when it is over, on the executor; it must not block. Not for those
  /// that the server's own destruction ends.
  std::function<void(const tunnel_report&)> on_ended{};
};

struct tunnel_server_statistics {
  std::uint64_t accepted = 0;  ///< Carriers.
  std::uint64_t refused_by_limits = 0;
  std::uint64_t strangers = 0;  ///< Who was shown a page.
  std::uint64_t health_checks = 0;
  std::uint64_t malformed = 0;  ///< What was no HTTP, no mode, or no target.
  std::uint64_t failed = 0;     ///< Streams whose target could not be connected, or that broke.
  std::uint64_t succeeded = 0;
  std::size_t sessions = 0;  ///< Carriers that are there; without those of anytls.
  std::size_t streams = 0;
  transport::relay_counters moved{};  ///< Of streams that have ended.
};

/// The far end of tunnel_outbound: WebSockets that carry streams, behind what looks like a web
/// server. Each stream is dialled through an outbound, which should filter addresses; datagrams of
/// anytls go through its associations. `carriers` should be TLS, with ECH keys if names are to be
/// hidden. Everything runs on its executor.
///
/// Destroying it stops accepting and ends all sessions.
class STRATA_PROXY_API tunnel_server {
 public:
  using executor_type = asio::any_io_executor;

  /// authentication_required without a uuid.
  static transport::result<std::unique_ptr<tunnel_server>> start(
      std::unique_ptr<transport::stream_listener> carriers, std::shared_ptr<outbound> way_out,
      tunnel_server_options options);
  ~tunnel_server();
  tunnel_server(const tunnel_server&) = delete;
  tunnel_server& operator=(const tunnel_server&) = delete;

  executor_type get_executor() noexcept;
  transport::address local_address() const noexcept;
  /// For streams that come from now on; `name` is what reports call it.
  void use(std::shared_ptr<outbound> way_out, std::string name = {});
  /// For carriers and streams that come from now on; limits count those that are there. The
  /// outbound's name stays, and of anytls all but the users. Errors, and then nothing changes:
  /// authentication_required without a uuid, invalid_argument when anytls would come or go.
  std::error_code use(tunnel_server_options options);
  tunnel_server_statistics statistics() const;
  /// Those whose target is known and that are under way, with what they have moved so far.
  std::vector<tunnel_report> streams() const;

  /// Stops accepting carriers. Sessions go on.
  void close() noexcept;
  /// Stops accepting carriers and streams, and completes when the last stream has ended: without
  /// error when it did so by itself, timed_out when the rest was ended at the deadline.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_drain(transport::duration deadline, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(initiate_drain{this}, token,
                                                                    deadline);
  }

 private:
  struct initiate_drain {
    using executor_type = asio::any_io_executor;
    tunnel_server* self;
    executor_type get_executor() const noexcept { return self->get_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, transport::duration deadline) const {
      self->drain(deadline, transport::make_completion<transport::status_signature>(
                                std::forward<Handler>(handler), self->get_executor()));
    }
  };

  explicit tunnel_server(std::shared_ptr<detail::tunnel_server_driver> driver) noexcept;
  void drain(transport::duration deadline, transport::completion<transport::status_signature>);

  std::shared_ptr<detail::tunnel_server_driver> driver_;
};

}  // namespace v0
}  // namespace strata::proxy
