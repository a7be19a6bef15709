// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/udp_datagram_socket.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <optional>

#include "transport/udp/udp_fixture.hpp"

using namespace strata::transport;
using namespace strata::transport::udp_tests;

namespace {

std::unique_ptr<udp_datagram_socket> open_datagrams(
    asio::io_context& context, const tested_system& system,
    const address& local = address::loopback_v4(0)) {
  return std::make_unique<udp_datagram_socket>(
      open(context, system, local, {.dont_fragment = false}));
}

std::error_code send(asio::io_context& context, datagram_socket& socket, const target& to,
                     bytes datagram) {
  std::optional<std::error_code> outcome;
  socket.async_send_to(to, datagram, [&](std::error_code failure) { outcome = failure; });
  CHECK(!outcome);
  run_until(context, [&] { return outcome.has_value(); });
  return *outcome;
}

struct arrival {
  std::error_code failure;
  std::vector<std::byte> payload;
  target from{"", 0};
};

arrival receive_one(asio::io_context& context, datagram_socket& socket, std::size_t room = 65'536) {
  arrival out;
  std::optional<std::size_t> got;
  out.payload.resize(room);
  socket.async_receive_from(out.payload, out.from, [&](std::error_code failure, std::size_t size) {
    out.failure = failure;
    got = size;
  });
  CHECK(!got);
  run_until(context, [&] { return got.has_value(); });
  out.payload.resize(*got);
  return out;
}

}  // namespace

TEST_CASE("udp_datagram_socket: datagrams go to targets and come from targets",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto one = open_datagrams(context, system), two = open_datagrams(context, system);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{0}, std::size_t{1500}, one->max_datagram_size()}) {
    const auto payload = random_bytes(size);
    CHECK(!send(context, *one, target(two->local_address()), payload));
    const arrival got = receive_one(context, *two);
    CHECK(!got.failure);
    CHECK(got.payload == payload);
    CHECK(got.from == target(one->local_address()));
  }
  const auto too_large = random_bytes(one->max_datagram_size() + 1);
  CHECK(send(context, *one, target(two->local_address()), too_large) == errc::message_too_large);
}

TEST_CASE("udp_datagram_socket: batches are handed out one datagram at a time",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto receiver = open_datagrams(context, system);
  auto sender = open(context, system, address::loopback_v4(0));
  const auto payload = random_bytes(25'100);
  REQUIRE(sender.send(to(receiver->local_address(), 25'100, 1000), payload) == 25'100u);
  std::vector<std::byte> joined;
  for (int i = 0; i < 26; ++i) {
    const arrival got = receive_one(context, *receiver);
    CHECK(got.payload.size() == (i < 25 ? 1000u : 100u));
    joined.insert(joined.end(), got.payload.begin(), got.payload.end());
  }
  CHECK(joined == payload);
}

TEST_CASE(
    "udp_datagram_socket: a datagram larger than the buffer is reported, the next one is whole",
    "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto receiver = open_datagrams(context, system);
  auto sender = open(context, system, address::loopback_v4(0));
  const auto payload = random_bytes(2100);
  REQUIRE(sender.send(to(receiver->local_address(), 2100, 1000), payload));
  CHECK(receive_one(context, *receiver, 999).failure == errc::message_too_large);
  CHECK(receive_one(context, *receiver, 1000).payload.size() == 1000);
  CHECK(receive_one(context, *receiver, 100).payload.size() == 100);
}

TEST_CASE("udp_datagram_socket: names are resolved, and those that are none are reported",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto sender = open_datagrams(context, system);
  auto receiver = open_datagrams(context, system);
  const auto payload = random_bytes(10);
  const target named{"localhost", receiver->local_address().port()};
  CHECK_FALSE(sender->resolved(named));
  CHECK(sender->resolved(receiver->local_address()) == receiver->local_address());
  for (int i = 0; i < 2; ++i) {
    CHECK(!send(context, *sender, named, payload));
    CHECK(receive_one(context, *receiver).from.port() == sender->local_address().port());
    CHECK(sender->resolved(named) == receiver->local_address());
    CHECK_FALSE(sender->resolved(target("other.test", named.port())));
  }
  CHECK(send(context, *sender, {std::string(300, 'x'), 9}, payload) == errc::invalid_argument);
}

TEST_CASE("udp_datagram_socket: cancelling, closing and destroying abort what is pending",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  const int how = GENERATE(0, 1, 2);
  asio::io_context context;
  auto socket = open_datagrams(context, system);
  std::array<std::byte, 10> memory;
  target from("", 0);
  std::optional<std::error_code> outcome;
  asio::cancellation_signal signal;
  socket->async_receive_from(
      memory, from,
      asio::bind_cancellation_slot(
          signal.slot(), [&](std::error_code failure, std::size_t) { outcome = failure; }));
  context.poll();
  if (how == 0) signal.emit(asio::cancellation_type::terminal);
  if (how == 1) socket->close();
  if (how == 2) socket.reset();
  CHECK(!outcome);
  context.run();
  CHECK(outcome == make_error_code(errc::aborted));
  if (how != 1) return;
  CHECK(send(context, *socket, target(address::loopback_v4(9)), memory) == errc::closed);
  CHECK(receive_one(context, *socket).failure == errc::closed);
}

TEST_CASE("udp_datagram_socket: destroying it while a name is being resolved aborts the send",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto socket = open_datagrams(context, system);
  std::array<std::byte, 10> memory{};
  std::optional<std::error_code> outcome;
  socket->async_send_to({"localhost", 9}, memory,
                        [&](std::error_code failure) { outcome = failure; });
  socket.reset();
  CHECK(!outcome);
  context.run();
  CHECK(outcome == make_error_code(errc::aborted));
}

TEST_CASE("udp_datagram_socket: a context destroyed first takes the coroutine and its socket along",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  const auto guard = std::make_shared<int>();
  {
    asio::io_context context;
    const auto wait = [](std::unique_ptr<udp_datagram_socket> socket,
                         std::shared_ptr<int>) -> asio::awaitable<void> {
      std::array<std::byte, 10> memory;
      target from("", 0);
      co_await socket->async_receive_from(memory, from);
    };
    asio::co_spawn(context, wait(open_datagrams(context, system), guard), asio::detached);
    context.poll();
    CHECK(guard.use_count() == 2);
  }
  CHECK(guard.use_count() == 1);
}

TEST_CASE("udp_datagram_socket: it is inert after its context, also with datagrams waiting",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  auto context = std::make_unique<asio::io_context>();
  auto receiver = open_datagrams(*context, system);
  auto sender = open(*context, system, address::loopback_v4(0));
  const auto payload = random_bytes(2000);
  REQUIRE(sender.send(to(receiver->local_address(), 2000, 1000), payload));
  std::array<std::byte, 1000> memory;
  target from("", 0);
  CHECK(receive_one(*context, *receiver).payload.size() == 1000);
  sender.close();
  context.reset();
  bool called = false;
  receiver->async_receive_from(memory, from, [&](std::error_code, std::size_t) { called = true; });
  receiver->async_send_to({"127.0.0.1", 9}, memory, [&](std::error_code) { called = true; });
  receiver->close();
  CHECK(!called);
}
