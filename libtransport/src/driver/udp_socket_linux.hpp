// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <vector>

#include "driver/udp_socket_system.hpp"

namespace strata::transport {
inline namespace v0 {

/// UDP on Linux. Non-blocking throughout; a mapped IPv4 address exists only between this class and
/// the system.
class linux_udp final : public udp_system {
 public:
  /// The call that sends; tests put one that refuses in its place.
  using send_function = ssize_t (*)(int descriptor, const msghdr* message, int flags);

  explicit linux_udp(asio::ip::udp::socket& socket, send_function sender = ::sendmsg)
      : socket_(socket), send_(sender) {}

  std::error_code configure(const udp_options& options) override;
  void bound(const address& local) override;
  udp_received receive(const udp_slots& slots, std::span<datagram_batch> batches) override;
  result<std::size_t> send(const transmit& what, bytes payload) override;

 private:
  struct outgoing;

  void describe(const msghdr& message, std::size_t size, datagram_batch& batch) const;
  void address_message(const transmit& what, outgoing& message) const;
  void add_controls(const transmit& what, outgoing& message) const;
  int send_chunk(outgoing& message, bytes chunk, std::size_t segment);
  bool may_offload(const address& remote) const noexcept;
  void refuse_offload(const address& remote);

  asio::ip::udp::socket& socket_;
  send_function send_;
  address local_;
  std::vector<address> offload_refused_;
  bool offload_ = true;
  bool v6_ = false;
  bool connected_ = false;
};

}  // namespace v0
}  // namespace strata::transport
