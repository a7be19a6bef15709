// SPDX-License-Identifier: Apache-2.0
#include "transport/udp/udp_fixture.hpp"

using namespace strata::transport;
using namespace strata::transport::udp_tests;

TEST_CASE("udp_socket: batches of every shape arrive byte for byte", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  const bool v6 = GENERATE(false, true);
  CAPTURE(system.name, v6);
  asio::io_context context;
  auto sender = open(context, system, v6 ? address::loopback_v6(0) : address::loopback_v4(0));
  auto receiver = open(context, system, v6 ? address::loopback_v6(0) : address::loopback_v4(0));

  struct shape {
    std::size_t size, segment;
  };
  const shape shapes[] = {shape{1, 1},
                          shape{1200, 1200},
                          shape{1200, 0},
                          shape{2400, 1200},
                          shape{2401, 1200},
                          shape{3599, 1200},
                          shape{44 * 1452, 1452},
                          shape{44 * 1452 - 1451, 1452},
                          shape{64, 1},
                          shape{65, 1},
                          shape{64 * 1000, 1000},
                          shape{65'507, 65'000},
                          shape{200'000, 9000},
                          shape{100'001, 1350}};
  for (const auto& [size, segment] : shapes) {
    CAPTURE(size, segment);
    const auto payload = random_bytes(size);
    const auto sent = sender.send(to(receiver.local_address(), size, segment), payload);
    REQUIRE(sent.has_value());
    REQUIRE(*sent == size);
    const std::size_t cut = segment == 0 ? size : segment;
    const auto datagrams = receive(context, receiver, (size + cut - 1) / cut);
    std::vector<std::byte> joined;
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
      CHECK(datagrams[i].payload.size() == std::min(cut, size - i * cut));
      CHECK(datagrams[i].remote == sender.local_address());
      joined.insert(joined.end(), datagrams[i].payload.begin(), datagrams[i].payload.end());
    }
    CHECK(joined == payload);
  }
}

TEST_CASE("udp_socket: a dual-stack socket shows IPv4 peers as IPv4, in both directions",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  CAPTURE(system.name);
  asio::io_context context;
  auto dual = open(context, system, address::any_v6(0));
  auto v4 = open(context, system, address::loopback_v4(0));
  auto v6 = open(context, system, address::loopback_v6(0));
  const auto payload = random_bytes(3000);

  for (udp_socket* peer : {&v4, &v6}) {
    const bool is_v6 = peer == &v6;
    REQUIRE(peer->send(to(reach(dual, is_v6), payload.size(), 1000), payload));
    for (const auto& datagram : receive(context, dual, 3)) {
      CHECK(datagram.remote == peer->local_address());
      if (system.tells_marks) CHECK(datagram.local == reach(dual, is_v6));
    }
    REQUIRE(dual.send(to(peer->local_address(), payload.size(), 1000), payload));
    for (const auto& datagram : receive(context, *peer, 3)) {
      CHECK(datagram.remote == reach(dual, is_v6));
      CHECK(datagram.local == peer->local_address());
    }
  }
}

TEST_CASE("udp_socket: without dual stack an IPv6 wildcard leaves the IPv4 port free",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto v6 = open(context, system, address::any_v6(0), {.dual_stack = false});
  auto v4 = open(context, system, address::any_v4(v6.local_address().port()));
  CHECK(v4.local_address().port() == v6.local_address().port());
}

TEST_CASE("udp_socket: an IPv4 socket cannot reach IPv6", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto socket = open(context, system, address::loopback_v4(0));
  const auto payload = random_bytes(100);
  CHECK(socket.send(to(address::loopback_v6(9), 100, 100), payload).error() == errc::unreachable);
}

TEST_CASE("udp_socket: empty datagrams are delivered and count as batches", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  CAPTURE(system.name);
  asio::io_context context;
  auto sender = open(context, system, address::loopback_v4(0));
  auto receiver = open(context, system, address::loopback_v4(0));
  const auto payload = random_bytes(10);
  for (int i = 0; i < 10; ++i) REQUIRE(sender.send(to(receiver.local_address(), 0, 0), {}) == 0u);
  REQUIRE(sender.send(to(receiver.local_address(), 10, 10), payload) == 10u);

  std::array<datagram_batch, udp_max_batches> batches;
  std::size_t filled = 0;
  receiver.async_receive(batches, [&](std::error_code, std::size_t n) { filled = n; });
  run_until(context, [&] { return filled != 0; });
  CHECK(filled == udp_max_batches);
  CHECK(batches[0].payload.empty());
  CHECK(batches[0].stride == 0);
  const auto rest = receive(context, receiver, 3);
  CHECK(rest[0].payload.empty());
  CHECK(rest[2].payload == payload);
}

TEST_CASE("udp_socket: a closed peer port does not end receiving", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  const bool connected = GENERATE(false, true);
  CAPTURE(system.name, connected);
  asio::io_context context;
  auto gone = open(context, system, address::loopback_v4(0));
  const address nobody = gone.local_address();
  gone.close();
  auto socket =
      open(context, system, address::loopback_v4(0), {.peer = connected ? nobody : address()});

  std::array<datagram_batch, 1> batches;
  bool completed = false;
  const auto payload = random_bytes(100);
  REQUIRE(socket.send(to(nobody, 100, 100), payload));
  socket.async_receive(batches, [&](std::error_code failure, std::size_t) {
    CHECK(!failure);
    completed = true;
  });
  if (connected) run_until(context, [&] { return socket.counters().peer_errors > 0; });
  CHECK(!completed);
  auto back = open(context, system, nobody);
  REQUIRE(back.send(to(socket.local_address(), 100, 100), payload));
  run_until(context, [&] { return completed; });
  CHECK(equal_bytes(batches[0].payload, payload));
}

TEST_CASE("udp_socket: an error left by a peer does not cost the next send", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  CAPTURE(system.name);
  asio::io_context context;
  auto gone = open(context, system, address::loopback_v4(0));
  const address peer = gone.local_address();
  gone.close();
  auto socket = open(context, system, address::loopback_v4(0), {.peer = peer});
  const auto payload = random_bytes(100);
  REQUIRE(socket.send(to(peer, 100, 100), payload));
  auto back = open(context, system, peer);
  REQUIRE(socket.send(to(peer, 100, 100), payload));
  CHECK(receive(context, back, 1)[0].payload == payload);
}

TEST_CASE("udp_socket: a busy socket yields between receives", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  CAPTURE(system.name);
  asio::io_context context;
  auto sender = open(context, system, address::loopback_v4(0));
  auto receiver = open(context, system, address::loopback_v4(0), {.offload = false});
  const auto payload = random_bytes(1000);
  for (int i = 0; i < 400; ++i)
    REQUIRE(sender.send(to(receiver.local_address(), 1000, 1000), payload));

  std::array<datagram_batch, udp_max_batches> batches;
  std::size_t datagrams = 0, turns = 0, other_work = 0;
  std::function<void()> again = [&] {
    receiver.async_receive(batches, [&](std::error_code failure, std::size_t n) {
      REQUIRE(!failure);
      datagrams += n;
      ++turns;
      asio::post(context, [&] { ++other_work; });
      if (datagrams < 400) again();
    });
  };
  again();
  run_until(context, [&] { return datagrams == 400; });
  CHECK(turns >= 400 / udp_max_batches);
  CHECK(other_work >= turns - 1);
}

TEST_CASE("udp_socket: sockets of one context share their slots", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  const auto payload = random_bytes(1000);
  std::vector<udp_socket> sockets;
  for (int i = 0; i < 20; ++i) sockets.push_back(open(context, system, address::loopback_v4(0)));
  auto sender = open(context, system, address::loopback_v4(0));
  std::array<std::array<datagram_batch, 1>, 20> batches;
  const auto& service = asio::use_service<udp_socket_service>(context);
  std::size_t received = 0;
  std::function<void(std::size_t)> listen = [&](std::size_t i) {
    sockets[i].async_receive(batches[i], [&, i](std::error_code failure, std::size_t) {
      if (failure) return;
      ++received;
      listen(i);  // gives the slots back
    });
  };
  for (std::size_t i = 0; i < 20; ++i) listen(i);
  CHECK(service.slot_sets() == 0);
  for (auto& socket : sockets)
    REQUIRE(sender.send(to(socket.local_address(), 1000, 1000), payload));
  run_until(context, [&] { return received == 20; });
  CHECK(service.slot_sets() == 1);
}

TEST_CASE("udp_socket: what was received stays while other sockets receive", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto sender = open(context, system, address::loopback_v4(0));
  auto one = open(context, system, address::loopback_v4(0));
  auto two = open(context, system, address::loopback_v4(0));
  const auto first = random_bytes(1000, 1), second = random_bytes(1000, 2);
  std::array<datagram_batch, 1> kept;
  bool done = false;
  REQUIRE(sender.send(to(one.local_address(), 1000, 1000), first));
  one.async_receive(kept, [&](std::error_code, std::size_t) { done = true; });
  run_until(context, [&] { return done; });
  REQUIRE(sender.send(to(two.local_address(), 1000, 1000), second));
  CHECK(receive(context, two, 1)[0].payload == second);
  CHECK(equal_bytes(kept[0].payload, first));
}

TEST_CASE("udp_socket: a taken port and an empty address are refused", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto socket = open(context, system, address::loopback_v4(0));
  const auto executor = context.get_executor();
  CHECK(udp_socket_state::open(executor, socket.local_address(), {}, system.make).error() ==
        std::errc::address_in_use);
  CHECK(udp_socket_state::open(executor, {}, {}, system.make).error() == errc::invalid_argument);
}

TEST_CASE("udp_socket: the public open gives a working socket", "[transport][udp]") {
  asio::io_context context;
  auto one = udp_socket::open(context.get_executor(), address::loopback_v4(0));
  auto two = udp_socket::open(context.get_executor(), address::loopback_v4(0));
  REQUIRE(one.has_value());
  REQUIRE(two.has_value());
  const auto payload = random_bytes(5000);
  REQUIRE(one->send(to(two->local_address(), 5000, 1200), payload) == 5000u);
  CHECK(receive(context, *two, 5).size() == 5);
  CHECK(two->counters().bytes_received == 5000);
  CHECK(one->counters().bytes_sent == 5000);
}
