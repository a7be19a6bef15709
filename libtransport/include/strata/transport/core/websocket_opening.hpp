// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/core/next_action.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// What a client asks a server for (RFC 6455 section 4.1).
struct websocket_request {
  struct field {
    std::string name;
    std::string value;
  };

  std::string authority;   ///< For Host: name or address, and a port that is not the usual.
  std::string path = "/";  ///< With the query.
  std::string origin{};    ///< Empty: no Origin, as programs that are no browsers do.
  std::vector<std::string> subprotocols{};  ///< In order of preference; tokens, none twice.
  std::vector<field> fields{};  ///< More of them; none that the handshake itself writes.
};

/// The client's side of the opening handshake, in the shape that next_action describes. A request
/// that cannot be written fails with errc::invalid_argument; an answer but 101 with errc::refused,
/// and response() says which; one that breaks RFC 6455 with errc::protocol_error; a carrier that
/// ends with errc::truncated. permessage-deflate is never offered.
class STRATA_TRANSPORT_API websocket_client_opening {
 public:
  websocket_client_opening(const websocket_request& request, random_source& random);
  ~websocket_client_opening();
  websocket_client_opening(websocket_client_opening&&) noexcept;
  websocket_client_opening& operator=(websocket_client_opening&&) noexcept;

  next_action next() const;
  void sent(std::size_t size);
  std::size_t receive(bytes input);
  void receive_end();

  /// The final response; null before it. Its content, if any, was not read.
  const http1_head* response() const noexcept;
  /// What the server chose of those offered; empty when it chose none.
  std::string_view subprotocol() const noexcept;

 private:
  class state;
  std::unique_ptr<state> state_;
};

/// How a server answers what it does not accept.
struct websocket_refusal {
  std::uint16_t status = 400;  ///< 200 to 999.
  std::string_view reason{};
  std::span<const http1_field> fields{};  ///< No Content-Length and no Connection.
  bytes content{};
};

/// The server's side, in the shape that next_action describes. When a request has come, or what
/// cannot be one, next() says need_decision and the owner calls accept() or refuse(). After a
/// refusal has been sent, next() says failed with errc::refused, or with what was wrong with the
/// request.
class STRATA_TRANSPORT_API websocket_server_opening {
 public:
  explicit websocket_server_opening(const http1_head_limits& bounds = {});
  ~websocket_server_opening();
  websocket_server_opening(websocket_server_opening&&) noexcept;
  websocket_server_opening& operator=(websocket_server_opening&&) noexcept;

  next_action next() const;
  void sent(std::size_t size);
  std::size_t receive(bytes input);
  void receive_end();

  /// Null before it has come, and when it was not well formed. Any request of HTTP/1 is shown, so
  /// that one that does not ask for WebSocket can be answered too.
  const http1_head* request() const noexcept;
  /// Why this is no opening of a WebSocket; null when accept() may be called.
  const http1_problem* problem() const noexcept;
  /// What the client offers, in its order of preference.
  std::span<const std::string_view> subprotocols() const noexcept;

  /// 101, with one of subprotocols() or none. invalid_argument for another, for fields that cannot
  /// be written or that the handshake itself writes, and when there is a problem().
  result<void> accept(std::string_view subprotocol = {}, std::span<const http1_field> fields = {});
  /// invalid_argument when it cannot be written.
  result<void> refuse(const websocket_refusal& with);
  /// With the status that fits the problem(), 426 and the version for another version (RFC 6455
  /// section 4.4); 403 without problem.
  void refuse();

 private:
  class state;
  std::unique_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::transport
