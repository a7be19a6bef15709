// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/transport/connection_dialer.hpp"

namespace strata::transport {
inline namespace v0 {

/// Yields connections that peers opened, every handshake done, in the order in which those ended.
/// One accept may be outstanding. Destroying a listener stops accepting only: connections it gave
/// live on, on its executor.
class STRATA_TRANSPORT_API connection_listener {
 public:
  using executor_type = asio::any_io_executor;

  connection_listener(const connection_listener&) = delete;
  connection_listener& operator=(const connection_listener&) = delete;
  virtual ~connection_listener();

  executor_type get_executor() noexcept { return do_executor(); }

  /// Errors: aborted when cancelled or closed meanwhile, closed afterwards; the system's own leave
  /// the listener usable. Handshakes that fail are not told here.
  template <asio::completion_token_for<connection_signature> Token = asio::deferred_t>
  auto async_accept(Token&& token = Token()) {
    return asio::async_initiate<Token, connection_signature>(initiate_accept{this}, token);
  }

  /// Stops accepting; a pending accept completes with errc::aborted, later ones with errc::closed.
  virtual void close() noexcept = 0;
  /// Where peers reach it; the empty address once closed, or if there is none.
  virtual address local_address() const noexcept = 0;

 protected:
  connection_listener() = default;

 private:
  struct initiate_accept {
    using executor_type = connection_listener::executor_type;
    connection_listener* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      self->do_accept(make_completion<connection_signature>(std::forward<Handler>(handler),
                                                            self->do_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  virtual void do_accept(completion<connection_signature>) = 0;
};

}  // namespace v0
}  // namespace strata::transport
