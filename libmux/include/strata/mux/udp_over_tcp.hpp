// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "strata/mux/core/udp_over_tcp.hpp"
#include "strata/mux/export.hpp"
#include "strata/transport/datagram_socket.hpp"
#include "strata/transport/stream.hpp"

namespace strata::mux {
inline namespace v0 {

namespace detail {
class udp_over_tcp_driver;
}

struct udp_over_tcp_options {
  /// 1 or 2. The name that the stream was dialled with says it to the server: they must agree.
  unsigned version = 2;
  /// Client, version 2: all datagrams go there and come from there, and have no address each. Any
  /// other target is an invalid_argument then.
  std::optional<transport::target> connected_to{};
};

/// Datagrams over a proxied stream, as udp-over-tcp frames them; whoever is at its other end has
/// the UDP socket. Nothing is lost or swapped on the way to it, and a datagram that is not taken
/// holds up those behind it.
///
/// A client of version 2 says what it wants together with its first datagram: before that, its
/// server can send nothing (errc::unreachable).
///
/// Destroying or closing it ends the stream in order; datagrams whose sends have completed still
/// leave.
class STRATA_MUX_API udp_over_tcp_socket final : public transport::datagram_socket {
 public:
  /// The end that opened `over`.
  static std::unique_ptr<udp_over_tcp_socket> client(std::unique_ptr<transport::stream> over,
                                                     const udp_over_tcp_options& options = {});
  /// The end that accepted it. Targets of datagrams that are received are where they are to go,
  /// targets of those that are sent where they came from.
  static std::unique_ptr<udp_over_tcp_socket> server(std::unique_ptr<transport::stream> over,
                                                     unsigned version = 2);
  explicit udp_over_tcp_socket(std::shared_ptr<detail::udp_over_tcp_driver> driver) noexcept;
  ~udp_over_tcp_socket() override;

  /// The one place where all datagrams go; nothing when each has its own, or while a server does
  /// not know. A server relays from there only: what it sends here has no address.
  const std::optional<transport::target>& connected_to() const noexcept;

  std::size_t max_datagram_size() const noexcept override {
    return core::udp_over_tcp::max_payload;
  }
  void close() noexcept override;

 private:
  asio::any_io_executor do_executor() noexcept override;
  void do_send_to(const transport::target& to, transport::bytes datagram,
                  transport::completion<send_signature> finish) override;
  void do_receive_from(transport::mutable_bytes into, transport::target& from,
                       transport::completion<receive_signature> finish) override;

  std::shared_ptr<detail::udp_over_tcp_driver> driver_;
};

}  // namespace v0
}  // namespace strata::mux
