// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/buffer.hpp>
#include <asio/deferred.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "strata/h3/core/field_section.hpp"
#include "strata/h3/error.hpp"
#include "strata/h3/export.hpp"
#include "strata/transport/buffer_list.hpp"
#include "strata/transport/completion.hpp"
#include "strata/transport/stream_traits.hpp"

namespace strata::h3 {
inline namespace v0 {

namespace detail {
class connection_driver;
}

/// One request and its response, seen from either end: what exchange (server) and response (client)
/// have in common. A move-only handle.
///
/// Every member function, initiation, cancellation signal and the destructor run on the
/// connection's serial executor; handlers run on their associated executor, never inside the
/// initiating function. One read and one write may be outstanding; a second is a programmer error.
/// Buffers must live until completion. Any operation can be cancelled through its slot: it
/// completes with errc::aborted, or succeeds short.
///
/// Content is pulled: what is not read stays under QUIC's flow control, so a slow reader slows its
/// peer down and costs no more memory than a window.
class STRATA_H3_API message_stream {
 public:
  using executor_type = asio::any_io_executor;

  message_stream(const message_stream&) = delete;
  message_stream& operator=(const message_stream&) = delete;

  /// False when default-constructed or moved from; no other function may be called then.
  explicit operator bool() const noexcept { return driver_ != nullptr; }
  executor_type get_executor() const noexcept;
  /// The QUIC stream's number.
  std::uint64_t id() const noexcept { return id_; }

  /// Reads at least one byte of the peer's content. At the end of the message errc::eof, and again
  /// at every later read; a message that was cut off never ends in eof.
  template <class MutableBuffers,
            asio::completion_token_for<transport::io_signature> Token = asio::deferred_t>
  auto async_read_body_some(const MutableBuffers& buffers, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::io_signature>(
        initiate{driver_, id_}, token,
        read_request{transport::buffer_list<asio::mutable_buffer>(buffers)});
  }
  /// Writes all of `data`; with `fin` it is the last of the message and leaves in one packet with
  /// its end. Completes when everything is below QUIC's watermark, not when it has arrived. Fails
  /// with invalid_argument against a content-length, write_stopped or an HTTP/3 code when the peer
  /// reads no more.
  template <asio::completion_token_for<transport::io_signature> Token = asio::deferred_t>
  auto async_write_body(asio::const_buffer data, bool fin = false, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::io_signature>(initiate{driver_, id_}, token,
                                                                write_request{data, fin});
  }
  /// Ends this side's message, with trailers when there are any.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_finish(field_section trailers = {}, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(
        initiate{driver_, id_}, token, finish_request{std::move(trailers)});
  }

  /// The peer's trailers; empty before the end of its message.
  const field_section& trailers() const noexcept;
  /// Gives both directions up: pending operations complete with errc::aborted.
  void reset(error_code code = error_code::request_cancelled) noexcept;
  /// Reads no more and goes on writing.
  void stop_reading(error_code code = error_code::no_error) noexcept;
  /// With which codes the peer reset its side or stopped reading this one's.
  transport::peer_codes codes() const noexcept;

 protected:
  message_stream() noexcept = default;
  message_stream(std::shared_ptr<detail::connection_driver> driver, std::uint64_t id) noexcept;
  message_stream(message_stream&& other) noexcept
      : driver_(std::move(other.driver_)), id_(other.id_) {}
  message_stream& operator=(message_stream&& other) noexcept;
  /// A message that is unfinished is reset; one that was finished still arrives.
  ~message_stream();

  struct head_request {};
  struct read_request {
    transport::buffer_list<asio::mutable_buffer> buffers;
  };
  struct write_request {
    asio::const_buffer from;
    bool fin;
  };
  struct finish_request {
    field_section trailers;
  };
  struct send_headers_request {
    unsigned status;
    field_section fields;
  };

  /// Captures driver and number, never the handle: a deferred operation may start after it has
  /// moved.
  struct STRATA_H3_API initiate {
    using executor_type = asio::any_io_executor;
    std::shared_ptr<detail::connection_driver> driver;
    std::uint64_t id;
    executor_type get_executor() const noexcept;
    template <class Handler, class Request>
    void operator()(Handler&& handler, Request&& request) const {
      start(std::forward<Request>(request),
            transport::make_completion<signature_of<std::decay_t<Request>>>(
                std::forward<Handler>(handler), get_executor()));
    }

   private:
    template <class Request>
    static constexpr bool counts =
        std::is_same_v<Request, read_request> || std::is_same_v<Request, write_request>;
    template <class Request>
    using signature_of =
        std::conditional_t<counts<Request>, transport::io_signature, transport::status_signature>;

    void start(const head_request&, transport::completion<transport::status_signature>) const;
    void start(const read_request&, transport::completion<transport::io_signature>) const;
    void start(const write_request&, transport::completion<transport::io_signature>) const;
    void start(const finish_request&, transport::completion<transport::status_signature>) const;
    void start(const send_headers_request&,
               transport::completion<transport::status_signature>) const;
  };

  std::shared_ptr<detail::connection_driver> driver_;
  std::uint64_t id_ = 0;
};

}  // namespace v0
}  // namespace strata::h3
