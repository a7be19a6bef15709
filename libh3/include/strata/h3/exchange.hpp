// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <string_view>

#include "strata/h3/message_stream.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::h3 {
inline namespace v0 {

namespace detail {
class server_driver;
}

/// A request that has come in, and the way to answer it: the server's end of a message_stream.
///
/// Answer with respond(), or with async_send_headers() and then async_write_body() and
/// async_finish(). Destroyed before its answer is complete, it resets the stream.
class STRATA_H3_API exchange : public message_stream {
 public:
  /// What respond() takes at most, in bytes of content.
  static constexpr std::size_t max_short_body = 64 * 1024;

  exchange() noexcept = default;
  exchange(exchange&&) noexcept = default;
  exchange& operator=(exchange&&) noexcept = default;
  ~exchange() = default;

  // The request. Views live as long as this object.
  std::string_view method() const noexcept;
  std::string_view scheme() const noexcept;     ///< Empty for CONNECT.
  std::string_view authority() const noexcept;  ///< :authority, else Host.
  std::string_view path() const noexcept;       ///< With its query; empty for CONNECT.
  /// Every field in order, pseudo-header fields first.
  const field_section& fields() const noexcept;
  const transport::address& remote_address() const noexcept;

  /// The whole answer at once: header section, content and end leave in as few packets as they fit.
  /// content-length is added. Fails with invalid_argument for fields that HTTP/3 forbids,
  /// message_too_large beyond max_short_body, or with why the stream is over.
  transport::result<void> respond(unsigned status, const field_section& fields,
                                  std::string_view body = {});
  /// A 1xx response before the final one: 103 with links, or 100 when the client waits for it.
  transport::result<void> send_interim(unsigned status, const field_section& fields);
  /// The header section of the final response. It leaves together with content that is written
  /// right afterwards.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_send_headers(unsigned status, const field_section& fields, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(
        initiate{driver_, id_}, token, send_headers_request{status, fields});
  }
  bool headers_sent() const noexcept;
  /// The response is complete, as far as this side is concerned.
  bool finished() const noexcept;

 private:
  friend class detail::connection_driver;
  friend class detail::server_driver;
  using message_stream::message_stream;
  const std::shared_ptr<detail::connection_driver>& driver() const noexcept { return driver_; }
};

/// Answers one request. It runs on the server's executor; many run at a time, each up to its next
/// co_await. When it returns without an answer the client gets 500, and a reset when it was in the
/// middle of one; so it does when the handler throws.
using request_handler = std::function<asio::awaitable<void>(exchange&)>;

}  // namespace v0
}  // namespace strata::h3
