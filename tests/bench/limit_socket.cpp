// SPDX-License-Identifier: Apache-2.0
#include "bench/limit_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace strata::bench {

namespace {

int checked(ssize_t result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::system_category(), what);
  return static_cast<int>(result);
}

void set(int descriptor, int level, int name, int value) {
  checked(::setsockopt(descriptor, level, name, &value, sizeof value), "setsockopt");
}

sockaddr_in address_of(std::uint32_t ip, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = ip;
  out.sin_port = port;
  return out;
}

}  // namespace

limit_socket::limit_socket(std::size_t buffer_size)
    : descriptor_(checked(::socket(AF_INET, SOCK_DGRAM, 0), "socket")) {
  set(descriptor_, SOL_SOCKET, SO_RCVBUF, static_cast<int>(buffer_size));
  set(descriptor_, SOL_SOCKET, SO_SNDBUF, static_cast<int>(buffer_size));
  set(descriptor_, SOL_UDP, UDP_GRO, 1);
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  checked(::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience),
          "SO_RCVTIMEO");
  const sockaddr_in any = address_of(htonl(INADDR_LOOPBACK), 0);
  checked(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&any), sizeof any), "bind");
}

limit_socket::~limit_socket() { ::close(descriptor_); }

std::string limit_socket::address() const {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  checked(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&own), &size), "getsockname");
  return "127.0.0.1:" + std::to_string(ntohs(own.sin_port));
}

void limit_socket::connect(const std::string& remote) {
  const std::size_t colon = remote.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoul(remote.substr(colon + 1)));
  sender_ip_ = ::inet_addr(remote.substr(0, colon).c_str());
  sender_port_ = htons(port);
  connect_to_sender();
}

void limit_socket::connect_to_sender() {
  const sockaddr_in to = address_of(sender_ip_, sender_port_);
  checked(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
}

void limit_socket::send(std::span<const std::byte> batch, std::size_t segment) {
  iovec piece{const_cast<std::byte*>(batch.data()), batch.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint16_t))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (batch.size() > segment) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_UDP;
    head->cmsg_type = UDP_SEGMENT;
    head->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto size = static_cast<std::uint16_t>(segment);
    std::memcpy(CMSG_DATA(head), &size, sizeof size);
  }
  checked(::sendmsg(descriptor_, &message, 0), "sendmsg");
}

limit_socket::received limit_socket::receive(std::span<std::byte> memory) {
  iovec piece{memory.data(), memory.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  sockaddr_in from{};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const int size = checked(::recvmsg(descriptor_, &message, 0), "recvmsg");
  sender_ip_ = from.sin_addr.s_addr;
  sender_port_ = from.sin_port;
  received out{static_cast<std::size_t>(size), static_cast<std::size_t>(size)};
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_UDP || head->cmsg_type != UDP_GRO) continue;
    int segment = 0;
    std::memcpy(&segment, CMSG_DATA(head), sizeof segment);
    out.segment = static_cast<std::size_t>(segment);
  }
  return out;
}

}  // namespace strata::bench
