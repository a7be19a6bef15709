// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/transport/stream_dialer.hpp"

namespace strata::transport {
inline namespace v0 {

/// Yields streams that peers opened, every handshake below them done. One accept may be
/// outstanding. Destroying a listener stops accepting only: streams it gave live on, on its
/// executor.
class STRATA_TRANSPORT_API stream_listener {
 public:
  using executor_type = asio::any_io_executor;

  stream_listener(const stream_listener&) = delete;
  stream_listener& operator=(const stream_listener&) = delete;
  virtual ~stream_listener();

  executor_type get_executor() noexcept { return do_executor(); }

  /// Errors: aborted when cancelled or closed meanwhile, closed afterwards; the system's own (out
  /// of descriptors, say) leave the listener usable.
  template <asio::completion_token_for<stream_signature> Token = asio::deferred_t>
  auto async_accept(Token&& token = Token()) {
    return asio::async_initiate<Token, stream_signature>(initiate_accept{this}, token);
  }

  /// Stops accepting; a pending accept completes with errc::aborted, later ones with errc::closed.
  virtual void close() noexcept = 0;
  /// Where peers reach it, with the port that the system chose; the empty address once closed, or
  /// if there is none.
  virtual address local_address() const noexcept = 0;

 protected:
  stream_listener() = default;

 private:
  struct initiate_accept {
    using executor_type = stream_listener::executor_type;
    stream_listener* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      self->do_accept(
          make_completion<stream_signature>(std::forward<Handler>(handler), self->do_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  virtual void do_accept(completion<stream_signature>) = 0;
};

}  // namespace v0
}  // namespace strata::transport
