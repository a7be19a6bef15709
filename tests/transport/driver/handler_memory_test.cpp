// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/handler_memory.hpp"

#include <asio/bind_allocator.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <catch2/catch_test_macros.hpp>
#include <memory>

using namespace strata;

TEST_CASE("handler_memory: one operation has its room, a second and a large one the heap",
          "[transport][driver]") {
  transport::handler_memory memory;
  void* const first = memory.take(transport::handler_memory::room);
  void* const second = memory.take(8);
  CHECK(first != second);
  memory.give_back(first);
  CHECK(memory.take(1) == first);
  void* const large = memory.take(transport::handler_memory::room + 1);
  CHECK(large != first);
  memory.give_back(large);
  memory.give_back(second);
  memory.give_back(first);
}

TEST_CASE("handler_memory: a wait that its context drops gives it back before it dies",
          "[transport][driver]") {
  struct owner {
    transport::handler_memory memory;
  };
  std::weak_ptr<owner> watched;
  {
    asio::io_context context;
    asio::ip::udp::socket socket(context,
                                 asio::ip::udp::endpoint(asio::ip::address_v4::loopback(), 0));
    const auto held = std::make_shared<owner>();
    watched = held;
    const transport::handler_allocator<void> allocator(held->memory);
    socket.async_wait(asio::socket_base::wait_read,
                      asio::bind_allocator(allocator, [held](std::error_code) {}));
    context.poll();
  }
  CHECK(watched.expired());
}
