// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <memory>
#include <optional>

#include "strata/transport/datagram_socket.hpp"
#include "strata/transport/udp_socket.hpp"

namespace strata::transport {
inline namespace v0 {

class udp_datagram_socket_state;

/// A datagram_socket on a UDP socket: for applications and relays; drivers of datagram cores use
/// udp_socket. Names are resolved by the system, and remembered for a minute each.
class STRATA_TRANSPORT_API udp_datagram_socket final : public datagram_socket {
 public:
  /// Unlike a udp_socket's, its datagrams may be fragmented unless the options say otherwise.
  static result<std::unique_ptr<udp_datagram_socket>> open(const asio::any_io_executor& executor,
                                                           const address& local,
                                                           const udp_options& options = {
                                                               .dont_fragment = false});
  /// Takes over an open socket that nobody receives on.
  explicit udp_datagram_socket(udp_socket socket);
  ~udp_datagram_socket() override;

  address local_address() const noexcept;
  std::size_t max_datagram_size() const noexcept override { return udp_max_payload; }
  void close() noexcept override;
  std::optional<address> resolved(const target& to) const override;

 private:
  asio::any_io_executor do_executor() noexcept override;
  void do_send_to(const target& to, bytes datagram, completion<send_signature> finish) override;
  void do_receive_from(mutable_bytes into, target& from,
                       completion<receive_signature> finish) override;

  std::shared_ptr<udp_datagram_socket_state> state_;
};

}  // namespace v0
}  // namespace strata::transport
