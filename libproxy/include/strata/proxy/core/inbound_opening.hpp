// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/core/request.hpp"
#include "strata/proxy/core/user_table.hpp"
#include "strata/proxy/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/core/next_action.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

struct inbound_config {
  bool socks4 = true;  ///< And 4a. Not where there are users: it has no passwords.
  bool socks5 = true;
  bool http = true;
  bool bind = false;          ///< SOCKS BIND; else it is refused as command_not_supported.
  bool udp_associate = true;  ///< Likewise.
  /// Requests for the proxy itself are shown, of whoever sends them; else they get a 400.
  bool pages = false;
  /// Null or empty: nobody has to say who they are.
  std::shared_ptr<const user_table> users{};
  transport::http1_head_limits head{};
};

/// What one client begins with, on a port that takes SOCKS4, SOCKS4a, SOCKS5 and HTTP: its first
/// byte says which. The server's side, in the shape of transport::next_action. When a request has
/// come, next() says need_decision; the owner looks at wanted(), and calls accept() once it is
/// connected, or refuse().
///
/// done: the carrier is the tunnel (connect, bind), the control connection (udp_associate), or for
/// a forward the head() is the first of the messages that a http_forwarder takes over; a page has
/// been answered, and nothing may follow. failed: refused, with the answer sent, or what was wrong.
class STRATA_PROXY_API inbound_opening {
 public:
  explicit inbound_opening(const inbound_config& config);
  ~inbound_opening();
  inbound_opening(inbound_opening&&) noexcept;
  inbound_opening& operator=(inbound_opening&&) noexcept;

  transport::next_action next() const;
  void sent(std::size_t size);
  /// Never takes a byte of what the client sent behind its request.
  std::size_t receive(transport::bytes input);
  void receive_end();

  const request& wanted() const noexcept;
  /// Of HTTP; null otherwise.
  const transport::http1_head* head() const noexcept;
  /// What next() sends says that the password was wrong: an owner who lets it wait slows guessing.
  bool rejects_credentials() const noexcept;
  /// Whether anything but a whole request has been seen: the carrier may have ended in order.
  bool is_idle() const noexcept;

  /// Grants it. `bound` is what the client is told: the near end of the new connection, where the
  /// datagrams go, or where the connection of a BIND is expected. After that of a BIND next() says
  /// need_decision again: accept() with where the connection comes from, or refuse(). Nothing is
  /// sent for a forward.
  void accept(const transport::address& bound = {});
  void refuse(refusal why);
  /// The answer to a page: 200, or 404 with an empty type.
  void answer(std::string_view content_type, transport::bytes content);

 private:
  class state;
  std::unique_ptr<state> state_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
