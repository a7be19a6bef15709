// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "strata/transport/core/address.hpp"
#include "strata/transport/target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

enum class protocol : std::uint8_t { socks4, socks5, http };

enum class command : std::uint8_t {
  connect,        ///< Of each protocol.
  bind,           ///< SOCKS: wait for one connection from the target.
  udp_associate,  ///< SOCKS5: relay datagrams (RFC 1928 section 7).
  forward,        ///< HTTP with an absolute target: the proxy asks for the client.
  page,           ///< HTTP for the proxy itself, in the origin form: a PAC file, say.
};

/// What a client asks a proxy for.
struct request {
  protocol spoken = protocol::socks5;
  command asked = command::connect;
  /// Where to. Names are as the client wrote them: nobody has looked them up. Of udp_associate:
  /// where the client's datagrams will come from, as far as it knows. Of a page: nothing.
  transport::target where{transport::address()};
  /// The user whose password the client knew; empty where nobody is asked.
  std::string user{};
  /// HTTP: the path of a page.
  std::string path{};
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
