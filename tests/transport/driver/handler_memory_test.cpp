// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/handler_memory.hpp"

#include <asio/any_completion_handler.hpp>
#include <asio/bind_allocator.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <catch2/catch_test_macros.hpp>
#include <memory>

using namespace strata;

TEST_CASE("handler_memory: one operation has its room, a second and a large one the heap",
          "[transport][driver]") {
  const transport::handler_memory memory;
  transport::handler_allocator<std::byte> allocator(memory);
  constexpr std::size_t room = transport::handler_memory::room;
  std::byte* const first = allocator.allocate(room);
  std::byte* const second = allocator.allocate(8);
  CHECK(first != second);
  allocator.deallocate(first, room);
  std::byte* const again = allocator.allocate(1);
  CHECK(again == first);
  allocator.deallocate(again, 1);
  std::byte* const large = allocator.allocate(room + 1);
  CHECK(large != first);
  allocator.deallocate(large, room + 1);
  allocator.deallocate(second, 8);
}

TEST_CASE("handler_memory: a dropped handler may take its owner along", "[transport][driver]") {
  struct owner {
    transport::handler_memory memory;
  };
  auto held = std::make_shared<owner>();
  const std::weak_ptr<owner> watched = held;
  asio::any_completion_handler<void()> waiting = [&] {
    const transport::handler_allocator<void> allocator(held->memory);
    return asio::any_completion_handler<void()>(asio::bind_allocator(allocator, [held] {}));
  }();
  held.reset();
  CHECK_FALSE(watched.expired());
  waiting = nullptr;
  CHECK(watched.expired());
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
