// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/transport/stream.hpp"
#include "strata/transport/target.hpp"

namespace strata::transport {
inline namespace v0 {

/// How dialling and accepting streams complete; the stream is null exactly when there is an error.
using stream_signature = void(std::error_code, std::unique_ptr<stream>);

/// Opens streams to targets. Any number of dials may be outstanding; each can be cancelled through
/// its slot, and destroying the dialer completes them with errc::aborted. Streams may outlive it
/// and run on its executor.
class STRATA_TRANSPORT_API stream_dialer {
 public:
  using executor_type = asio::any_io_executor;

  stream_dialer(const stream_dialer&) = delete;
  stream_dialer& operator=(const stream_dialer&) = delete;
  virtual ~stream_dialer();

  executor_type get_executor() noexcept { return do_executor(); }

  /// Completes when the stream can be written to: connected, and every handshake below it done. No
  /// deadline of its own: with_timeout gives one. Errors: name_not_found, refused, unreachable,
  /// timed_out, and those of the carrier.
  template <asio::completion_token_for<stream_signature> Token = asio::deferred_t>
  auto async_dial(target where, Token&& token = Token()) {
    return asio::async_initiate<Token, stream_signature>(initiate_dial{this}, token,
                                                         std::move(where));
  }

 protected:
  stream_dialer() = default;

 private:
  struct initiate_dial {
    using executor_type = stream_dialer::executor_type;
    stream_dialer* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, const target& where) const {
      self->do_dial(where, make_completion<stream_signature>(std::forward<Handler>(handler),
                                                             self->do_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  virtual void do_dial(const target& where, completion<stream_signature>) = 0;
};

}  // namespace v0
}  // namespace strata::transport
