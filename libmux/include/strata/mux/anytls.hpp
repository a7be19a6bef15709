// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "strata/mux/core/anytls_config.hpp"
#include "strata/mux/core/anytls_pool.hpp"
#include "strata/mux/export.hpp"
#include "strata/mux/udp_over_tcp.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::mux {
inline namespace v0 {

namespace detail {
class anytls_dialer_driver;
class anytls_listener_driver;
class anytls_server_session;
}  // namespace detail

struct anytls_options {
  /// `role` is set by whoever makes the session, and a dialer's sessions pad as its pool says.
  core::anytls_config session;
  core::anytls_pool_config pool;
  /// Of each read from the carrier, and of the page it needs only while it has something to read.
  std::size_t read_size = 128 * 1024;
  /// How long what was written may take to leave when nobody holds a session any more.
  transport::duration linger = std::chrono::seconds(30);

  // Of a dialer.
  /// A dial waits until the server says that it has connected the stream; one for datagrams never
  /// does, since servers may wait for the first of them. Servers of version 1 do not say it, and
  /// one that has not said its version within `version_timeout` is one of those until it does.
  bool await_answer = false;
  transport::duration version_timeout = core::limits::anytls::version_timeout;
  transport::duration dial_timeout = core::limits::anytls::dial_timeout;  ///< Of a carrier.
  unsigned udp_version = 2;  ///< Of udp-over-tcp: 1 or 2.

  // Of a listener.
  transport::duration destination_timeout = core::limits::anytls::destination_timeout;
  std::size_t max_sessions = core::limits::anytls::max_sessions;
  std::size_t max_requests = core::limits::anytls::max_requests;
  /// Gets what is not anytls, or not with the password of a user: the carrier, from its first byte
  /// on. Without it such a carrier is ignored until the time for authentication is over, then
  /// ended.
  std::function<void(std::unique_ptr<transport::stream>)> fallback{};
};

/// How a dial for datagrams completes.
using datagrams_signature = void(std::error_code, std::unique_ptr<transport::datagram_socket>);

struct anytls_dialer_statistics {
  std::size_t idle = 0;  ///< Sessions that wait for a stream.
  std::size_t busy = 0;  ///< Sessions that are being dialled, or have a stream.
  std::uint64_t dialled = 0;
  std::uint64_t reused = 0;      ///< Streams that were opened in a session that had one before.
  unsigned dead_on_arrival = 0;  ///< Sessions in a row that died before the server said anything.
};

/// Dials targets through an anytls server, each in a session that has no other stream: the newest
/// that is idle, or a new one over a carrier that `carriers` dials, which should be TLS. The target
/// is the first thing that is written on a stream; the server resolves names.
///
/// A dial completes when the stream can be written, without a round trip, unless `await_answer`. A
/// session that turns out to be dead before that is replaced by a new one, once. When several died
/// before they came to life, dials wait a little.
///
/// A stream keeps its contract with the row of anytls: both directions end together, a client's
/// end is held until the server's own, and a reset looks like an end.
///
/// Destroying it closes idle sessions; streams that it gave live on, each in its session.
class STRATA_MUX_API anytls_dialer final : public transport::stream_dialer {
 public:
  anytls_dialer(std::shared_ptr<transport::stream_dialer> carriers, transport::target server,
                anytls_options options = {});
  ~anytls_dialer() override;

  /// A socket whose datagrams each say where they go. Everything else is as for async_dial.
  template <asio::completion_token_for<datagrams_signature> Token = asio::deferred_t>
  auto async_associate(Token&& token = Token()) {
    return asio::async_initiate<Token, datagrams_signature>(initiate_datagrams{this}, token,
                                                            std::optional<transport::target>());
  }
  /// A socket for datagrams to and from one target. In version 1 it is as async_associate's, which
  /// has no such thing.
  template <asio::completion_token_for<datagrams_signature> Token = asio::deferred_t>
  auto async_dial_datagrams(transport::target connected_to, Token&& token = Token()) {
    return asio::async_initiate<Token, datagrams_signature>(
        initiate_datagrams{this}, token, std::optional<transport::target>(std::move(connected_to)));
  }

  /// As destroying it: dials complete with errc::aborted, later ones with errc::closed.
  void close() noexcept;
  anytls_dialer_statistics statistics() const noexcept;

 private:
  struct initiate_datagrams {
    using executor_type = transport::stream_dialer::executor_type;
    anytls_dialer* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, std::optional<transport::target> connected_to) const {
      self->dial_datagrams(std::move(connected_to),
                           transport::make_completion<datagrams_signature>(
                               std::forward<Handler>(handler), self->do_executor()));
    }
  };

  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override;
  void dial_datagrams(std::optional<transport::target> connected_to,
                      transport::completion<datagrams_signature> waiting);

  std::shared_ptr<detail::anytls_dialer_driver> driver_;
};

/// A stream that a client opened, and where it is to go. Decide once: accept, or refuse; destroying
/// it refuses. Clients of version 2 hear of it; so does one of them after
/// anytls_config::report_timeout that it was accepted, whatever is decided then.
class STRATA_MUX_API anytls_request {
 public:
  ~anytls_request();
  anytls_request(const anytls_request&) = delete;
  anytls_request& operator=(const anytls_request&) = delete;

  const transport::target& destination() const noexcept { return destination_; }
  /// The name that goes with the client's password.
  const std::string& user() const noexcept { return user_; }
  /// Where the client's carrier comes from.
  const transport::address& client() const noexcept { return client_; }
  /// 1 or 2 when it asks for datagrams: then the destination means nothing.
  std::optional<unsigned> udp_over_tcp() const noexcept;

  /// The destination is connected. On a session that is over its operations say so.
  std::unique_ptr<transport::stream> accept();
  /// Of one that asks for datagrams.
  std::unique_ptr<udp_over_tcp_socket> accept_datagrams();
  /// Clients of version 2 are told the first limits::anytls::max_refusal bytes of `why`.
  void refuse(std::string_view why);

 private:
  friend class detail::anytls_server_session;
  anytls_request(std::shared_ptr<detail::anytls_server_session> session, std::uint32_t id,
                 transport::target destination);

  std::shared_ptr<detail::anytls_server_session> session_;  ///< Null when it was decided.
  std::uint32_t id_;
  transport::target destination_;
  std::string user_;
  transport::address client_;
};

using anytls_request_signature = void(std::error_code, std::unique_ptr<anytls_request>);

/// Serves anytls on the carriers of another listener, which are TLS as a rule, and yields what
/// clients ask for, each with its destination read.
///
/// Destroying it accepts no carriers and no streams any more; streams that were accepted live on.
class STRATA_MUX_API anytls_listener {
 public:
  using executor_type = asio::any_io_executor;

  anytls_listener(std::unique_ptr<transport::stream_listener> carriers,
                  anytls_options options = {});
  ~anytls_listener();
  anytls_listener(const anytls_listener&) = delete;
  anytls_listener& operator=(const anytls_listener&) = delete;

  executor_type get_executor() noexcept;

  /// One may be outstanding. Errors: aborted when cancelled or closed meanwhile, closed afterwards;
  /// those of the carriers' listener leave this one usable.
  template <asio::completion_token_for<anytls_request_signature> Token = asio::deferred_t>
  auto async_accept(Token&& token = Token()) {
    return asio::async_initiate<Token, anytls_request_signature>(initiate_accept{this}, token);
  }

  void close() noexcept;
  /// That of the carriers.
  transport::address local_address() const noexcept;
  /// Whom sessions that begin from now on let in.
  void use(core::anytls_users users);
  std::size_t sessions() const noexcept;  ///< Those that are open.

 private:
  struct initiate_accept {
    using executor_type = anytls_listener::executor_type;
    anytls_listener* self;
    executor_type get_executor() const noexcept { return self->get_executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      self->accept(transport::make_completion<anytls_request_signature>(
          std::forward<Handler>(handler), self->get_executor()));
    }
  };
  void accept(transport::completion<anytls_request_signature> waiting);

  std::shared_ptr<detail::anytls_listener_driver> driver_;
};

}  // namespace v0
}  // namespace strata::mux
