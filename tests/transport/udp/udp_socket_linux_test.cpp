// SPDX-License-Identifier: Apache-2.0
#include "driver/udp_socket_linux.hpp"

#include <netinet/udp.h>

#include <cerrno>
#include <cstring>

#include "transport/udp/udp_fixture.hpp"

using namespace strata::transport;
using namespace strata::transport::udp_tests;

namespace {

const tested_system linux_system{"linux", make_linux_udp, true};

/// A sendmsg that refuses what the test says. Static, because the class takes a plain function.
struct refusing_send {
  static inline int batch_failure = 0;   ///< For messages that are to be cut.
  static inline int single_failure = 0;  ///< For single datagrams.
  static inline int fail_after = 0;      ///< Singles that pass before single_failure applies.
  static inline int batches = 0, singles = 0;

  static bool is_batch(const msghdr& message) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
         control = CMSG_NXTHDR(const_cast<msghdr*>(&message), control)) {
      if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_SEGMENT) return true;
    }
    return false;
  }

  static ssize_t send(int descriptor, const msghdr* message, int flags) {
    const bool batch = is_batch(*message);
    ++(batch ? batches : singles);
    const int failure = batch ? batch_failure : singles > fail_after ? single_failure : 0;
    if (failure == 0) return ::sendmsg(descriptor, message, flags);
    errno = failure;
    return -1;
  }

  static std::unique_ptr<udp_system> make(asio::ip::udp::socket& socket) {
    return std::make_unique<linux_udp>(socket, &refusing_send::send);
  }

  static void reset(int batch, int single = 0, int after = 0) {
    batch_failure = batch, single_failure = single, fail_after = after, batches = singles = 0;
  }
};

const tested_system refusing_system{"refusing", refusing_send::make, true};

/// A sendmsg that looks how its socket treats datagrams larger than the path.
struct looking_send {
  static inline int ipv4 = -1, ipv6 = -1;

  static ssize_t send(int descriptor, const msghdr* message, int flags) {
    socklen_t size = sizeof ipv4;
    ::getsockopt(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, &ipv4, &size);
    size = sizeof ipv6;
    ::getsockopt(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &ipv6, &size);
    return ::sendmsg(descriptor, message, flags);
  }

  static std::unique_ptr<udp_system> make(asio::ip::udp::socket& socket) {
    return std::make_unique<linux_udp>(socket, &looking_send::send);
  }
};

const tested_system looking_system{"looking", looking_send::make, true};

}  // namespace

TEST_CASE("linux_udp: every mark arrives in both families, alone and in batches",
          "[transport][udp]") {
  asio::io_context context;
  auto dual = open(context, linux_system, address::any_v6(0));
  auto v4 = open(context, linux_system, address::loopback_v4(0));
  auto v6 = open(context, linux_system, address::loopback_v6(0));
  const auto payload = random_bytes(10'000);
  for (const ecn mark : {ecn::ect0, ecn::ect1, ecn::ce, ecn::not_ect}) {
    for (const std::size_t segment : {std::size_t{10'000}, std::size_t{1000}}) {
      const std::size_t count = 10'000 / segment;
      for (udp_socket* peer : {&v4, &v6}) {
        transmit in = to(reach(dual, peer == &v6), payload.size(), segment);
        in.mark = mark;
        REQUIRE(peer->send(in, payload));
        for (const auto& datagram : receive(context, dual, count)) CHECK(datagram.mark == mark);
        transmit back = to(peer->local_address(), payload.size(), segment);
        back.mark = mark;
        REQUIRE(dual.send(back, payload));
        for (const auto& datagram : receive(context, *peer, count)) CHECK(datagram.mark == mark);
      }
    }
  }
}

TEST_CASE("linux_udp: the source address asked for is used, and foreign ones are refused",
          "[transport][udp]") {
  asio::io_context context;
  const bool v6_socket = GENERATE(false, true);
  auto sender = open(context, linux_system, v6_socket ? address::any_v6(0) : address::any_v4(0));
  auto receiver = open(context, linux_system, address::any_v4(0));
  const auto payload = random_bytes(3000);
  transmit what =
      to(address::parse_ip("127.0.0.3", receiver.local_address().port()).value(), 3000, 1000);
  what.local = address::parse_ip("127.0.0.2", 0).value();
  REQUIRE(sender.send(what, payload));
  for (const auto& datagram : receive(context, receiver, 3)) {
    CHECK(datagram.remote == what.local.with_port(sender.local_address().port()));
    CHECK(datagram.local == what.remote);
  }
  what.local = address::parse_ip("192.0.2.1", 0).value();
  CHECK(sender.send(what, payload).error() == errc::unreachable);
  CHECK(sender.counters().offload_refusals == 0);
}

TEST_CASE("linux_udp: a local address of the other family is ignored", "[transport][udp]") {
  asio::io_context context;
  auto sender = open(context, linux_system, address::any_v6(0));
  auto receiver = open(context, linux_system, address::loopback_v4(0));
  const auto payload = random_bytes(10);
  transmit what = to(receiver.local_address(), 10, 10);
  what.local = address::loopback_v6(0);
  REQUIRE(sender.send(what, payload));
  CHECK(receive(context, receiver, 1).size() == 1);
}

TEST_CASE("linux_udp: a joined batch has one stride and its tail", "[transport][udp]") {
  asio::io_context context;
  auto sender = open(context, linux_system, address::loopback_v4(0));
  auto receiver = open(context, linux_system, address::loopback_v4(0));
  const std::size_t size = 43 * 1452 + 7;
  const auto payload = random_bytes(size);
  REQUIRE(sender.send(to(receiver.local_address(), size, 1452), payload));
  CHECK(sender.counters().batches_sent == 1);
  std::array<datagram_batch, udp_max_batches> batches;
  std::size_t filled = 0;
  receiver.async_receive(batches, [&](std::error_code, std::size_t n) { filled = n; });
  run_until(context, [&] { return filled != 0; });
  CHECK(filled == 1);
  CHECK(batches[0].stride == 1452);
  CHECK(equal_bytes(batches[0].payload, payload));
}

//= RFC 9000 section 14
//# the Don't Fragment (DF) bit MUST be set if possible, to prevent fragmentation on the path
//= RFC 9000 section 14.2.1
//# An endpoint MUST ignore an ICMP message that claims the PMTU has decreased below QUIC's
//# smallest allowed maximum datagram size.
//= RFC 9000 section 14.2.1
//# An endpoint MUST NOT increase the PMTU based on ICMP messages.
TEST_CASE("linux_udp: datagrams are never cut on their way, whatever ICMP said of the path",
          "[transport][udp]") {
  for (const address& local : {address::loopback_v4(0), address::loopback_v6(0)}) {
    looking_send::ipv4 = looking_send::ipv6 = -1;
    asio::io_context context;
    auto sender = open(context, looking_system, local);
    auto receiver = open(context, linux_system, local);
    REQUIRE(sender.send(to(receiver.local_address(), 10, 10), random_bytes(10)));
    CHECK(looking_send::ipv4 == IP_PMTUDISC_PROBE);
    if (local.octets().size() == 16) CHECK(looking_send::ipv6 == IPV6_PMTUDISC_PROBE);
  }
}

TEST_CASE("linux_udp: sockets with reuse_port share a port", "[transport][udp]") {
  asio::io_context context;
  auto one = open(context, linux_system, address::loopback_v4(0), {.reuse_port = true});
  auto two = open(context, linux_system, one.local_address(), {.reuse_port = true});
  CHECK(two.local_address() == one.local_address());
}

TEST_CASE(
    "linux_udp: a refused batch goes out datagram by datagram, and is remembered per destination",
    "[transport][udp][attack][Q63]") {
  const int failure = GENERATE(EIO, EINVAL, EMSGSIZE, EOPNOTSUPP);
  refusing_send::reset(failure);
  asio::io_context context;
  auto sender = open(context, refusing_system, address::loopback_v4(0));
  auto receiver = open(context, linux_system, address::loopback_v4(0));
  auto other = open(context, linux_system, address::loopback_v4(0));
  const auto payload = random_bytes(5500);
  REQUIRE(sender.send(to(receiver.local_address(), 5500, 1000), payload) == 5500u);
  CHECK(receive(context, receiver, 6).size() == 6);
  CHECK(refusing_send::batches == 1);
  CHECK(refusing_send::singles == 6);
  CHECK(sender.counters().offload_refusals == 1);

  REQUIRE(sender.send(to(receiver.local_address(), 5500, 1000), payload) == 5500u);
  CHECK(refusing_send::batches == 1);
  refusing_send::reset(0);
  REQUIRE(sender.send(to(other.local_address(), 5500, 1000), payload) == 5500u);
  CHECK(refusing_send::batches == 1);
  CHECK(receive(context, other, 6).size() == 6);
}

TEST_CASE("linux_udp: after 8 refusing destinations the socket gives offload up",
          "[transport][udp][limits]") {
  asio::io_context context;
  auto sender = open(context, refusing_system, address::loopback_v4(0));
  const auto payload = random_bytes(2000);
  for (int known = 0; known < 9; ++known) {
    refusing_send::reset(EIO);
    auto peer = open(context, linux_system, address::loopback_v4(0));
    REQUIRE(sender.send(to(peer.local_address(), 2000, 1000), payload) == 2000u);
    CHECK(refusing_send::batches == 1);
  }
  auto peer = open(context, linux_system, address::loopback_v4(0));
  refusing_send::reset(EIO);
  REQUIRE(sender.send(to(peer.local_address(), 2000, 1000), payload) == 2000u);
  CHECK(refusing_send::batches == 0);
}

TEST_CASE("linux_udp: a batch whose datagrams are too large keeps offload on", "[transport][udp]") {
  refusing_send::reset(EINVAL, EMSGSIZE);
  asio::io_context context;
  auto sender = open(context, refusing_system, address::loopback_v4(0));
  auto receiver = open(context, linux_system, address::loopback_v4(0));
  const auto payload = random_bytes(2000);
  CHECK(sender.send(to(receiver.local_address(), 2000, 1000), payload).error() ==
        errc::message_too_large);
  CHECK(sender.counters().offload_refusals == 0);
}

TEST_CASE("linux_udp: a full socket says how much went, or would_block",
          "[transport][udp][attack][Q63]") {
  asio::io_context context;
  auto sender = open(context, refusing_system, address::loopback_v4(0), {.offload = false});
  auto receiver = open(context, linux_system, address::loopback_v4(0));
  const auto payload = random_bytes(5000);
  refusing_send::reset(0, EAGAIN, 3);
  CHECK(sender.send(to(receiver.local_address(), 5000, 1000), payload) == 3000u);
  refusing_send::reset(0, EAGAIN);
  CHECK(sender.send(to(receiver.local_address(), 5000, 1000), payload).error() ==
        errc::would_block);
  bool writable = false;
  sender.async_wait_writable([&](std::error_code failure) {
    CHECK(!failure);
    writable = true;
  });
  CHECK(!writable);
  run_until(context, [&] { return writable; });
}

TEST_CASE("linux_udp: what the system says becomes one of our errors",
          "[transport][udp][attack][Q63]") {
  asio::io_context context;
  auto sender = open(context, refusing_system, address::loopback_v4(0));
  const auto payload = random_bytes(100);
  struct expected {
    int failure;
    errc code;
  };
  for (const auto& [failure, code] :
       {expected{ENETUNREACH, errc::unreachable}, expected{EHOSTUNREACH, errc::unreachable},
        expected{EPERM, errc::refused}, expected{EACCES, errc::refused},
        expected{EMSGSIZE, errc::message_too_large}, expected{EAGAIN, errc::would_block}}) {
    refusing_send::reset(0, failure);
    CHECK(sender.send(to(address::loopback_v4(9), 100, 100), payload).error() == code);
  }
  refusing_send::reset(0, ENOBUFS);
  CHECK(sender.send(to(address::loopback_v4(9), 100, 100), payload) == 100u);
  CHECK(sender.counters().sends_dropped == 1);
}
