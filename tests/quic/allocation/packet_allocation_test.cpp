// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "quic/allocation/direct_link.hpp"
#include "testkit/counting_allocator.hpp"

using namespace strata;
using namespace strata::quic::core;

namespace {

std::size_t allocations_in_steady_state(bool real, std::uint64_t& packets) {
  testkit::direct_link link(real);
  const connection_handle sending = link.connect();
  const auto id = link.sender.at(sending).open(false).value();
  const std::vector<std::byte> block(64 * 1024, std::byte{7});
  const bytes piece(block);
  const auto push = [&](std::uint64_t goal) {
    while (link.received < goal) {
      while (link.sender.at(sending).stream(id).write({&piece, 1}, false).value() == piece.size()) {
      }
      link.step();
    }
  };
  // Windows, rings and pages find their sizes first.
  push(200'000'000);
  const auto sent_before = link.sender.at(sending).statistics().packets_sent;
  const std::size_t before = testkit::allocations();
  push(link.received + 50'000'000);
  packets = link.sender.at(sending).statistics().packets_sent - sent_before;
  return testkit::allocations() - before;
}

}  // namespace

TEST_CASE("allocation: a bulk transfer in steady state allocates nothing per packet, either side",
          "[quic][allocation]") {
  std::uint64_t packets = 0;
  const std::size_t with_null = allocations_in_steady_state(false, packets);
  CHECK(packets > 30'000);
  CHECK(with_null == 0);
  const std::size_t with_openssl = allocations_in_steady_state(true, packets);
  CHECK(with_openssl == 0);
}

TEST_CASE("allocation: what a stream takes at once leaves in whole batches", "[quic][allocation]") {
  testkit::direct_link link(false);
  const connection_handle sending = link.connect();
  const auto id = link.sender.at(sending).open(false).value();
  const std::vector<std::byte> more(512 * 1024, std::byte{7});
  const bytes piece(more);
  const auto taken = link.sender.at(sending).stream(id).write({&piece, 1}, false).value();
  // 54 datagrams of 1,200 bytes fit one sendmsg, each with 44 bytes that are not the stream's.
  CHECK(taken == 2 * 54 * (1200 - 44));
}
