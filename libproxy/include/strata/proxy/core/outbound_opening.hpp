// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/core/request.hpp"
#include "strata/proxy/export.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/next_action.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

struct credentials {
  std::string user;
  std::string password;
};

/// The client's side of SOCKS5 (RFC 1928, 1929), in the shape of transport::next_action. Errors:
/// those of error_of() for what the proxy answers, authentication_required and
/// authentication_failed, transport's protocol_error for what breaks the protocol and truncated
/// for a carrier that ends; invalid_argument for a target or credentials that cannot be written.
class STRATA_PROXY_API socks_client_opening {
 public:
  /// command::connect, bind or udp_associate.
  socks_client_opening(command asked, const transport::target& where,
                       const std::optional<credentials>& who = std::nullopt);
  ~socks_client_opening();
  socks_client_opening(socks_client_opening&&) noexcept;
  socks_client_opening& operator=(socks_client_opening&&) noexcept;

  transport::next_action next() const;
  void sent(std::size_t size);
  std::size_t receive(transport::bytes input);
  void receive_end();
  /// What the proxy named in its answer; the empty address when that was a name. A BIND is answered
  /// twice: done after the second time, and receive() stops between both, where this says where the
  /// connection is expected.
  const transport::address& bound() const noexcept;

 private:
  class state;
  std::unique_ptr<state> state_;
};

/// The client's side of an HTTP CONNECT (RFC 9110 section 9.3.6) in HTTP/1.1, likewise. Nothing is
/// sent behind the request before the answer has come (RFC 9931). The answer's head is bounded.
class STRATA_PROXY_API http_connect_opening {
 public:
  explicit http_connect_opening(const transport::target& where,
                                const std::optional<credentials>& who = std::nullopt);
  ~http_connect_opening();
  http_connect_opening(http_connect_opening&&) noexcept;
  http_connect_opening& operator=(http_connect_opening&&) noexcept;

  transport::next_action next() const;
  void sent(std::size_t size);
  std::size_t receive(transport::bytes input);
  void receive_end();
  /// Of the answer; zero before.
  unsigned status() const noexcept;

 private:
  class state;
  std::unique_ptr<state> state_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
