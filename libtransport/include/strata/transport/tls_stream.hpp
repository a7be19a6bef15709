// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/core/tls_failure.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"
#include "strata/transport/tls.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {
class tls_driver;
}

struct tls_stream_options {
  /// Client: whom to ask for and to verify, a DNS name or an IP literal. A dialer takes the
  /// target's host when it is empty.
  std::string server_name{};
  duration handshake_timeout = limits::tls_handshake_timeout;
  /// Of a dialer whose context offers ECH: what it accepts from a server that does not accept it.
  /// The one retry with configurations that the server has proven to be its own is always made, on
  /// a carrier of its own.
  ech_policy ech = ech_policy::strict;
  /// Of each read from the carrier; the page it needs is held only while there is something to
  /// read.
  std::size_t read_size = 128 * 1024;
  /// How long the end of a stream that nobody holds any more may take to leave.
  duration linger = std::chrono::seconds(30);
  /// Told of every handshake that fails, before the operation completes: an error code cannot say
  /// which alert it was. Called within a turn: it must not touch the driver's handles.
  std::function<void(const tls_failure&)> on_failure{};
};

/// TLS over any stream. Its end is a close_notify (RFC 8446 section 6.1), after which reads go on;
/// a carrier that ends without one gives errc::truncated, never eof. A reset resets the carrier.
class STRATA_TRANSPORT_API tls_stream final : public stream {
 public:
  ~tls_stream() override;

  void reset(std::uint64_t code) noexcept override;
  stream_traits traits() const noexcept override;
  std::optional<connection_security> security() const override;
  address remote_address() const override;
  address local_address() const override;
  /// Null unless it ended with an error of TLS.
  const tls_failure* failure() const noexcept;

 private:
  friend class detail::tls_driver;
  explicit tls_stream(std::shared_ptr<detail::tls_driver> driver) noexcept;

  asio::any_io_executor do_executor() noexcept override;
  void do_read_some(std::span<const asio::mutable_buffer>, completion<io_signature>) override;
  void do_write_some(std::span<const asio::const_buffer>, completion<io_signature>) override;
  result<std::size_t> do_try_read(std::span<const asio::mutable_buffer>) override;
  result<std::size_t> do_try_write(std::span<const asio::const_buffer>) override;
  void do_finish(completion<status_signature>) override;
  void do_wait_closed(completion<status_signature>) override;

  std::shared_ptr<detail::tls_driver> driver_;
};

using tls_signature = void(std::error_code, std::unique_ptr<tls_stream>);

namespace detail {
STRATA_TRANSPORT_API void start_tls(std::unique_ptr<stream> carrier, const tls_context& context,
                                    const tls_stream_options& options,
                                    completion<tls_signature> waiting);

struct initiate_tls {
  using executor_type = asio::any_io_executor;
  executor_type executor;
  executor_type get_executor() const noexcept { return executor; }
  template <class Handler>
  void operator()(Handler&& handler, std::unique_ptr<stream> carrier, const tls_context& context,
                  const tls_stream_options& options) const {
    start_tls(std::move(carrier), context, options,
              make_completion<tls_signature>(std::forward<Handler>(handler), executor));
  }
};
}  // namespace detail

/// The handshake on a carrier that nobody else uses from now on; the context says the role. It
/// completes when the handshake is done, or with what it failed with: timed_out,
/// certificate_rejected, ech_rejected, tls_failed, and the carrier's errors. Cancelling resets the
/// carrier.
template <asio::completion_token_for<tls_signature> Token = asio::deferred_t>
auto async_tls_handshake(std::unique_ptr<stream> carrier, const tls_context& context,
                         const tls_stream_options& options = {}, Token&& token = Token()) {
  const auto executor = carrier->get_executor();
  return asio::async_initiate<Token, tls_signature>(detail::initiate_tls{executor}, token,
                                                    std::move(carrier), context, options);
}

/// Dials a carrier and does the handshake on it; another carrier when ECH was rejected and may be
/// tried again (tls_stream_options::ech). security() of the stream says what became of it.
class STRATA_TRANSPORT_API tls_dialer final : public stream_dialer {
 public:
  tls_dialer(std::shared_ptr<stream_dialer> carriers, tls_context context,
             tls_stream_options options = {});
  ~tls_dialer() override;

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const target& where, completion<stream_signature> waiting) override;

  std::unique_ptr<state> state_;
};

/// Yields streams whose handshake is done, in the order in which handshakes end.
class STRATA_TRANSPORT_API tls_listener final : public stream_listener {
 public:
  tls_listener(std::unique_ptr<stream_listener> carriers, tls_context context,
               tls_stream_options options = {});
  ~tls_listener() override;

  void close() noexcept override;
  address local_address() const noexcept override;
  /// For the handshakes that begin from now on: other certificates, other ECH keys.
  void use(tls_context context);

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_accept(completion<stream_signature> waiting) override;

  std::unique_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::transport
