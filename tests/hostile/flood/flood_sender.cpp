// SPDX-License-Identifier: Apache-2.0
// flood_sender PORT PACKETS-PER-SECOND SECONDS: valid Initial packets to 127.0.0.1:PORT, each from
// another address of 127.0.0.0/8. Says how many went and how many Retry packets came back. It
// floods nothing but this machine: the target's address is not a parameter.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "core/connection/outgoing_batch.hpp"
#include "core/crypto/key_schedule.hpp"
#include "core/wire/frame.hpp"
#include "core/wire/packet_header.hpp"
#include "strata/quic/core/openssl_tls.hpp"
#include "strata/quic/core/transport_parameters.hpp"
#include "strata/quic/core/version.hpp"
#include "testkit/fake_random.hpp"
#include "testkit/quic/test_tls.hpp"

using namespace strata;
using namespace strata::quic::core;

namespace {

constexpr std::size_t distinct_packets = 4096;
constexpr std::size_t sockets = 16;

using datagram = std::array<std::byte, 1200>;

std::vector<std::byte> client_hello(const quic::connection_id& own) {
  const auto tls = testkit::make_openssl_test_tls();
  transport_parameters parameters;
  parameters.initial_source_connection_id = own;
  std::vector<std::byte> encoded(transport_parameters::max_encoded_size);
  transport::buffer_writer writer(encoded);
  encode(parameters, writer);
  const auto session = tls->connect("server.test", writer.written()).value();
  session->start();
  quic::encryption_level level{};
  std::vector<std::byte> hello;
  session->take_output(level, hello);
  return hello;
}

/// The first packet of a client that will never send a second one.
datagram make_packet(testkit::fake_random& random, const std::vector<std::byte>& hello,
                     const quic::connection_id& own) {
  datagram made{};
  std::array<std::byte, 8> id;
  random.fill(id);
  transport::buffer_writer writer(made);
  const auto layout = write_long_header(writer, {.type = packet_type::initial,
                                                 .version = quic::version_1,
                                                 .destination = id,
                                                 .source = own.bytes(),
                                                 .token = {},
                                                 .packet_number = 0,
                                                 .packet_number_size = 4});
  const std::size_t room = made.size() - layout.size - aead_tag_size;
  const std::size_t piece = std::min(hello.size(), room - 8);
  encode(crypto_frame{0, transport::bytes(hello).first(piece)}, writer);
  patch_length(made.data(), layout.length_offset, 4 + room + aead_tag_size);
  auto keys = derive_initial_protection(quic::connection_id(id), false).value();
  keys.client.seal(0, made.data(), layout.size, room);
  const std::byte* sample = made.data() + layout.packet_number_offset + 4;
  header_mask mask;
  keys.client.header_masks({&sample, 1}, {&mask, 1});
  apply_header_mask(made.data(), layout.packet_number_offset, 4, mask);
  return made;
}

int open_socket() {
  const int made = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  if (made < 0 || ::bind(made, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0) {
    std::perror("flood_sender");
    std::exit(1);
  }
  return made;
}

/// From an address that the socket is not bound to, which the system allows within 127.0.0.0/8.
bool send_from(int from, std::uint32_t source, std::uint16_t port, const datagram& content) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  iovec piece{const_cast<std::byte*>(content.data()), content.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = sizeof to;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo wanted{};
  wanted.ipi_spec_dst.s_addr = htonl(source);
  std::memcpy(CMSG_DATA(header), &wanted, sizeof wanted);
  return ::sendmsg(from, &message, 0) == static_cast<ssize_t>(content.size());
}

std::size_t count_retries(int at) {
  std::array<std::byte, 2048> memory;
  std::size_t found = 0;
  for (ssize_t size; (size = ::recv(at, memory.data(), memory.size(), 0)) > 0;)
    found += (memory[0] & std::byte{0xf0}) == std::byte{0xf0};
  return found;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: flood_sender PORT PACKETS-PER-SECOND SECONDS\n");
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::atoi(arguments[1]));
  const double rate = std::atof(arguments[2]);
  const double seconds = std::atof(arguments[3]);

  testkit::fake_random random(1);
  const quic::connection_id own(std::array<std::byte, 8>{std::byte{5}});
  const std::vector<std::byte> hello = client_hello(own);
  std::vector<datagram> packets;
  while (packets.size() < distinct_packets) packets.push_back(make_packet(random, hello, own));
  std::array<int, sockets> from{};
  for (int& each : from) each = open_socket();
  std::printf("flooding\n");
  std::fflush(stdout);

  std::size_t sent = 0, retries = 0;
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint32_t number = 0;;) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
    if (passed.count() >= seconds) break;
    const auto due = static_cast<std::uint32_t>(passed.count() * rate);
    for (; number < due; ++number) {
      // 127.1.0.1 and what follows, a quarter of a million addresses.
      const std::uint32_t source = 0x7f010001u + number % 0x3ffffu;
      sent += send_from(from[number % sockets], source, port, packets[number % packets.size()]);
    }
    for (const int each : from) retries += count_retries(each);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  for (const int each : from) {
    retries += count_retries(each);
    ::close(each);
  }
  std::printf("sent %zu retries %zu\n", sent, retries);
}
