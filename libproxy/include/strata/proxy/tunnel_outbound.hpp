// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "strata/mux/yamux.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/proxy/core/tunnel_wire.hpp"
#include "strata/proxy/export.hpp"
#include "strata/proxy/outbound.hpp"

namespace strata::proxy {
inline namespace v0 {

struct tunnel_outbound_options {
  transport::target server{transport::address()};
  std::string authority{};  ///< For Host; empty: the server as it is dialled.
  std::string path = "/";
  /// Shown as the WebSocket's subprotocol. Whoever has it may use the server.
  std::string uuid{};
  core::tunnel_mode mode = core::tunnel_mode::yamux;

  // Of yamux.
  std::size_t max_sessions = 2;
  std::size_t max_streams = 128;  ///< Of one session.
  /// Sessions that are there before anybody dials, and replaced when they are lost.
  std::size_t pre_connect = 0;
  mux::yamux_options session{};
  transport::duration finish_hold = core::limits::tunnel_finish_hold;

  /// Silence after which the server is asked for a sign of life (yamux and WebSocket pings); zero:
  /// never.
  std::chrono::milliseconds health_interval = std::chrono::seconds(30);
  transport::duration connect_timeout = core::limits::connect_timeout;
  /// After so many failures in a row to reach the server dials fail at once, with upstream_resting,
  /// for a while that doubles with each failure after it.
  unsigned failures_to_rest = 5;
  transport::duration rest = std::chrono::seconds(1);
  transport::duration max_rest = std::chrono::minutes(1);
};

struct tunnel_outbound_statistics {
  std::size_t sessions = 0;
  std::size_t streams = 0;     ///< Open, of all sessions.
  std::uint64_t dialled = 0;   ///< Times that the server was dialled.
  std::uint64_t failures = 0;  ///< Of those.
  std::uint64_t replaced = 0;  ///< Dials whose session had died, and that took another.
  std::uint64_t rested = 0;    ///< Dials that failed at once because of earlier ones.
  bool is_resting = false;
};

/// Through a server that speaks WebSocket (tunnel_server): streams in shared yamux sessions, the
/// one with the fewest first, or in simple mode a WebSocket for each. `carriers` dials the server:
/// ech_dialer, tls_dialer, plain TCP, or another outbound.
///
/// In yamux mode there is no answer to a dial: it completes when the stream is open and the target
/// was written, and a target that cannot be connected shows as the end of the stream. In simple
/// mode it completes with the server's answer; upstream_failed is its refusal.
///
/// There is no half-close: servers end both directions together. So a stream holds its end back
/// until the peer's has come, for finish_hold at most, as WebSocket's row of the stream contract.
class STRATA_PROXY_API tunnel_outbound final : public outbound {
 public:
  tunnel_outbound(std::shared_ptr<transport::stream_dialer> carriers,
                  tunnel_outbound_options options);
  ~tunnel_outbound() override;

  tunnel_outbound_statistics statistics() const;

 private:
  struct state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override;

  std::shared_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::proxy
