// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "strata/transport/core/result.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"

namespace spdlog {
class logger;
}

namespace strata::transport {
inline namespace v0 {

struct tcp_dialer_options {
  /// How long an attempt may stay unanswered before the next address is tried beside it (RFC 8305
  /// section 5).
  std::chrono::milliseconds attempt_delay{250};
  bool no_delay = true;
  /// Of the connection, by the system's name ("cubic", "bbr"); empty: the system's default. Where
  /// the system has it not, or knows no such choice, dialling fails with not_supported.
  std::string congestion_control;
  /// Says at level debug which attempt of a dial failed, and why. Null for silence.
  std::shared_ptr<spdlog::logger> log;
};

/// Opens TCP connections: names are resolved by the system, their addresses tried as RFC 8305 says
/// (families interleaved, staggered, the first that connects wins). When all fail, the error is the
/// most telling one: refused before timed_out before unreachable. A name without addresses is
/// name_not_found.
class STRATA_TRANSPORT_API tcp_dialer final : public stream_dialer {
 public:
  explicit tcp_dialer(const asio::any_io_executor& executor, tcp_dialer_options options = {});
  ~tcp_dialer() override;

 private:
  struct state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const target& where, completion<stream_signature> waiting) override;

  std::unique_ptr<state> state_;
};

struct tcp_listener_options {
  bool no_delay = true;
  std::string congestion_control;  ///< As tcp_dialer_options'; listen() fails without it.
  /// Several listeners of this process share the port, one per serial executor; the system spreads
  /// connections over them.
  bool reuse_port = false;
};

/// Accepts TCP connections.
class STRATA_TRANSPORT_API tcp_listener final : public stream_listener {
 public:
  /// Listens on `local`; port 0 lets the system choose. The unspecified IPv6 address takes IPv4 as
  /// well. Errors are the system's (address in use, permission, ...).
  static result<std::unique_ptr<tcp_listener>> listen(const asio::any_io_executor& executor,
                                                      const address& local,
                                                      const tcp_listener_options& options = {});
  ~tcp_listener() override;

  void close() noexcept override;
  address local_address() const noexcept override;

 private:
  class acceptor;
  explicit tcp_listener(std::shared_ptr<acceptor> accepting) noexcept;
  asio::any_io_executor do_executor() noexcept override;
  void do_accept(completion<stream_signature> waiting) override;

  std::shared_ptr<acceptor> acceptor_;
};

}  // namespace v0
}  // namespace strata::transport
