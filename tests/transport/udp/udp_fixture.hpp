// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "driver/udp_socket_state.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/fake_random.hpp"

namespace strata::transport::udp_tests {

/// The systems this machine can run; every test that asks for one runs once for each.
struct tested_system {
  const char* name;
  udp_system_factory make;
  bool tells_marks;
};

inline std::vector<tested_system> all_systems() {
  std::vector<tested_system> systems{{"portable", make_portable_udp, false}};
#if defined(__linux__)
  systems.push_back({"linux", make_linux_udp, true});
#endif
  return systems;
}

inline udp_socket open(asio::io_context& context, const tested_system& system, const address& local,
                       const udp_options& options = {}) {
  auto socket = udp_socket_state::open(context.get_executor(), local, options, system.make);
  REQUIRE(socket.has_value());
  return std::move(*socket);
}

/// Runs until `done`, at most five seconds: a test that hangs fails instead.
template <class Done>
void run_until(asio::io_context& context, Done done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  context.restart();
  while (!done()) {
    REQUIRE(context.run_one_until(deadline) == 1);
  }
}

struct received_datagram {
  std::vector<std::byte> payload;
  ecn mark;
  address remote, local;
};

/// Receives until `count` datagrams have come, cutting batches into them.
inline std::vector<received_datagram> receive(asio::io_context& context, udp_socket& socket,
                                              std::size_t count) {
  std::vector<received_datagram> out;
  std::array<datagram_batch, udp_max_batches> batches;
  while (out.size() < count) {
    std::size_t filled = 0;
    socket.async_receive(batches, [&](std::error_code failure, std::size_t n) {
      REQUIRE(!failure);
      REQUIRE(n >= 1);
      filled = n;
    });
    run_until(context, [&] { return filled != 0; });
    for (const datagram_batch& batch : std::span(batches).first(filled)) {
      bytes rest = batch.payload;
      do {
        const bytes one = rest.first(std::min<std::size_t>(batch.stride, rest.size()));
        out.push_back({{one.begin(), one.end()}, batch.mark, batch.remote, batch.local});
        rest = rest.subspan(one.size());
      } while (!rest.empty());
    }
  }
  return out;
}

inline std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed = 1) {
  std::vector<std::byte> out(size);
  testkit::fake_random(seed).fill(out);
  return out;
}

inline transmit to(const address& remote, std::size_t size, std::size_t segment) {
  return {.size = static_cast<std::uint32_t>(size),
          .segment = static_cast<std::uint16_t>(segment),
          .remote = remote};
}

/// Where the other socket is reached: its loopback address of the family asked for.
inline address reach(const udp_socket& socket, bool v6) {
  const std::uint16_t port = socket.local_address().port();
  return v6 ? address::loopback_v6(port) : address::loopback_v4(port);
}

}  // namespace strata::transport::udp_tests
