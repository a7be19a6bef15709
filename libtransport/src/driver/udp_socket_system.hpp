// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/ip/udp.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <system_error>

#include "strata/transport/udp_socket.hpp"

namespace strata::transport {
inline namespace v0 {

/// Errors of peers or of the moment seen in a row before a receive yields.
inline constexpr int max_soft_errors = 16;

/// As large as the largest joined batch: UDP over IPv6 carries up to 65,527 bytes.
inline constexpr std::size_t udp_slot_size = 65'536;

/// The memory one receive fills: a slot for each batch.
struct udp_slots {
  std::unique_ptr<std::byte[]> memory;
  mutable_bytes operator[](std::size_t index) const noexcept {
    return {memory.get() + index * udp_slot_size, udp_slot_size};
  }
};

/// What one non-blocking receive came to. Neither filled nor drained: try again, but after
/// yielding.
struct udp_received {
  std::size_t filled = 0;
  bool drained = false;   ///< The system had no more.
  std::error_code fatal;  ///< The socket is of no use any more.
};

/// What differs between systems: options, receiving and sending on an open, non-blocking socket.
/// Never waits.
class udp_system {
 public:
  virtual ~udp_system() = default;
  /// Before binding. Fails only for what the caller cannot do without.
  virtual std::error_code configure(const udp_options& options) = 0;
  /// After binding (and connecting, when options.peer asked for it).
  virtual void bound(const address& local) = 0;
  virtual udp_received receive(const udp_slots& slots, std::span<datagram_batch> batches) = 0;
  virtual result<std::size_t> send(const transmit& what, bytes payload) = 0;

  udp_counters counters;
};

using udp_system_factory = std::unique_ptr<udp_system> (*)(asio::ip::udp::socket& socket);

/// Recvmmsg, GRO and GSO, packet information.
std::unique_ptr<udp_system> make_linux_udp(asio::ip::udp::socket& socket);
/// One datagram per call and nothing but Asio: no ECN marks, and a local address only where the
/// socket was bound to one.
std::unique_ptr<udp_system> make_portable_udp(asio::ip::udp::socket& socket);
/// The one this build uses; defined by the file of that system.
std::unique_ptr<udp_system> make_default_udp(asio::ip::udp::socket& socket);

inline asio::ip::udp::endpoint to_endpoint(const address& from) {
  if (from.is_v4()) {
    asio::ip::address_v4::bytes_type octets;
    copy_bytes(reinterpret_cast<std::byte*>(octets.data()), from.octets());
    return {asio::ip::address_v4(octets), from.port()};
  }
  asio::ip::address_v6::bytes_type octets{};
  copy_bytes(reinterpret_cast<std::byte*>(octets.data()), from.octets());
  return {asio::ip::address_v6(octets, from.scope_id()), from.port()};
}

inline address from_endpoint(const asio::ip::udp::endpoint& from) {
  if (from.address().is_v4()) {
    const auto octets = from.address().to_v4().to_bytes();
    return {std::as_bytes(std::span(octets)), from.port()};
  }
  const asio::ip::address_v6 ip = from.address().to_v6();
  const auto octets = ip.to_bytes();
  return {std::as_bytes(std::span(octets)), from.port(), static_cast<std::uint32_t>(ip.scope_id())};
}

}  // namespace v0
}  // namespace strata::transport
