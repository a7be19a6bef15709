// SPDX-License-Identifier: Apache-2.0
#include "transport/udp/udp_fixture.hpp"

using namespace strata::transport;
using namespace strata::transport::udp_tests;

TEST_CASE("udp_socket: one datagram of 65,506, 65,507 and 65,508 bytes",
          "[transport][udp][limits]") {
  const auto system = GENERATE(from_range(all_systems()));
  CAPTURE(system.name);
  asio::io_context context;
  auto sender = open(context, system, address::loopback_v4(0));
  auto receiver = open(context, system, address::loopback_v4(0));
  const auto payload = random_bytes(udp_max_payload + 1);
  for (const std::size_t size : {udp_max_payload - 1, udp_max_payload}) {
    REQUIRE(sender.send(to(receiver.local_address(), size, size), bytes(payload).first(size)) ==
            size);
    CHECK(receive(context, receiver, 1)[0].payload.size() == size);
  }
  CHECK(
      sender.send(to(receiver.local_address(), payload.size(), payload.size()), payload).error() ==
      errc::message_too_large);
  CHECK(sender.send(to(receiver.local_address(), payload.size(), 0), payload).error() ==
        errc::message_too_large);
}

TEST_CASE("udp_socket: batches of 65,506, 65,507 and 65,508 bytes are cut as needed",
          "[transport][udp][limits][attack][Q30]") {
  const auto system = GENERATE(from_range(all_systems()));
  CAPTURE(system.name);
  asio::io_context context;
  auto sender = open(context, system, address::loopback_v4(0));
  auto receiver = open(context, system, address::loopback_v4(0));
  for (const std::size_t size : {udp_max_payload - 1, udp_max_payload, udp_max_payload + 1}) {
    const auto payload = random_bytes(size);
    REQUIRE(sender.send(to(receiver.local_address(), size, 1200), payload) == size);
    CHECK(receive(context, receiver, 55).back().payload.size() == size - 54 * 1200);
  }
}

TEST_CASE("udp_socket: 63, 64 and 65 datagrams go out in one call",
          "[transport][udp][limits][attack][Q30]") {
  const auto system = GENERATE(from_range(all_systems()));
  CAPTURE(system.name);
  asio::io_context context;
  auto sender = open(context, system, address::loopback_v4(0));
  auto receiver = open(context, system, address::loopback_v4(0));
  for (const std::size_t count : {udp_max_segments - 1, udp_max_segments, udp_max_segments + 1}) {
    const auto payload = random_bytes(count * 900);
    REQUIRE(sender.send(to(receiver.local_address(), payload.size(), 900), payload) ==
            payload.size());
    CHECK(receive(context, receiver, count).size() == count);
  }
}

//= RFC 9000 section 14
//# UDP datagrams MUST NOT be fragmented at the IP layer.
TEST_CASE(
    "udp_socket: a datagram larger than the path is message_too_large, and smaller ones still go",
    "[transport][udp][limits]") {
  // IPv6 on loopback carries 65,536 bytes with its header, so 65,488 is the largest payload that
  // needs no fragments.
  const auto system = GENERATE(from_range(all_systems()));
  if (!system.tells_marks) return;  // the plain socket cannot forbid fragments
  asio::io_context context;
  auto sender = open(context, system, address::loopback_v6(0));
  auto receiver = open(context, system, address::loopback_v6(0));
  const auto payload = random_bytes(65'489);
  CHECK(sender.send(to(receiver.local_address(), 65'489, 65'489), payload).error() ==
        errc::message_too_large);
  REQUIRE(sender.send(to(receiver.local_address(), 65'488, 65'488), bytes(payload).first(65'488)));
  CHECK(receive(context, receiver, 1)[0].payload.size() == 65'488);
}

TEST_CASE("udp_socket: 7, 8 and 9 places take at most 8 batches at once",
          "[transport][udp][limits]") {
  const auto system = GENERATE(from_range(all_systems()));
  CAPTURE(system.name);
  asio::io_context context;
  auto sender = open(context, system, address::loopback_v4(0));
  const auto payload = random_bytes(100);
  for (const std::size_t places : {udp_max_batches - 1, udp_max_batches, udp_max_batches + 1}) {
    auto receiver = open(context, system, address::loopback_v4(0), {.offload = false});
    for (int i = 0; i < 20; ++i)
      REQUIRE(sender.send(to(receiver.local_address(), 100, 100), payload));
    std::vector<datagram_batch> batches(places);
    std::size_t filled = 0;
    receiver.async_receive(batches, [&](std::error_code, std::size_t n) { filled = n; });
    run_until(context, [&] { return filled != 0; });
    CHECK(filled == std::min(places, udp_max_batches));
  }
}
