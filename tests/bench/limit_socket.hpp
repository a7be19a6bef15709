// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace strata::bench {

/// A blocking UDP socket on IPv4 loopback with segmentation offload both ways.
class limit_socket {
 public:
  explicit limit_socket(std::size_t buffer_size);
  ~limit_socket();
  limit_socket(const limit_socket&) = delete;
  limit_socket& operator=(const limit_socket&) = delete;

  std::string address() const;
  /// To ADDR:PORT.
  void connect(const std::string& remote);
  /// To whoever sent what receive() gave last.
  void connect_to_sender();

  /// `segment` bytes in each datagram but the last.
  void send(std::span<const std::byte> batch, std::size_t segment);
  struct received {
    std::size_t size = 0;
    std::size_t segment = 0;
  };
  /// Throws when nothing comes for a second.
  received receive(std::span<std::byte> memory);

 private:
  int descriptor_;
  std::uint32_t sender_ip_ = 0;
  std::uint16_t sender_port_ = 0;
};

}  // namespace strata::bench
