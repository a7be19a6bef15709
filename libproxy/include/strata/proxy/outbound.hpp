// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/async_result.hpp>
#include <memory>
#include <system_error>
#include <utility>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/export.hpp"
#include "strata/transport/completion.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/datagram_socket.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::proxy {
inline namespace v0 {

/// How an association completes; the socket is null exactly when there is an error.
using associate_signature = void(std::error_code, std::unique_ptr<transport::datagram_socket>);

/// A way out: streams to targets, as any dialer has, and datagrams where it can. Names are handed
/// on to whoever is at the far end, and looked up by nobody before. Outbounds stack: one that goes
/// through a proxy dials that proxy through any other dialer.
class STRATA_PROXY_API outbound : public transport::stream_dialer {
 public:
  ~outbound() override;

  /// A socket that sends datagrams to any target and receives those that come back. Errors:
  /// command_not_supported where there is no such thing, else as those of async_dial.
  template <asio::completion_token_for<associate_signature> Token = asio::deferred_t>
  auto async_associate(Token&& token = Token()) {
    return asio::async_initiate<Token, associate_signature>(initiate_associate{this}, token);
  }

  /// A port on which a connection from `expected` may come (BIND of SOCKS). command_not_supported
  /// where there is no such thing.
  virtual transport::result<std::unique_ptr<transport::stream_listener>> listen(
      const transport::target& expected);

 protected:
  outbound() = default;

 private:
  struct initiate_associate {
    using executor_type = transport::stream_dialer::executor_type;
    outbound* self;
    executor_type get_executor() const noexcept { return self->get_executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      self->do_associate(transport::make_completion<associate_signature>(
          std::forward<Handler>(handler), self->get_executor()));
    }
  };

  /// Without an override: command_not_supported.
  virtual void do_associate(transport::completion<associate_signature> waiting);
};

}  // namespace v0
}  // namespace strata::proxy
