// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "quic/allocation/direct_link.hpp"
#include "testkit/counting_allocator.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace std::chrono_literals;

namespace {

// Before the first call of OpenSSL.
const bool openssl_is_counted = testkit::count_openssl();

constexpr std::size_t connections = 32;

/// One of the two ends of one connection: both are in this program.
std::size_t per_connection(std::size_t before) {
  return (testkit::held_bytes() - before) / (2 * connections);
}

void move_one_megabyte(testkit::direct_link& link, connection_handle sending) {
  const auto id = link.sender.at(sending).open(false).value();
  const std::vector<std::byte> block(64 * 1024, std::byte{7});
  const bytes piece(block);
  const auto goal = link.received + 1'048'576;
  std::size_t written = 0;
  while (written < 1'048'576) {
    const bytes part = piece.first(std::min<std::size_t>(piece.size(), 1'048'576 - written));
    written += link.sender.at(sending).stream(id).write({&part, 1}, false).value();
    link.step();
  }
  const bytes none;
  static_cast<void>(link.sender.at(sending).stream(id).write({&none, 1}, true));
  while (link.received < goal) link.step();
  link.sender.at(sending).stream(id).forget();
}

}  // namespace

TEST_CASE("allocation: an idle connection is light, before and after a transfer, and gone is gone",
          "[quic][allocation]") {
  REQUIRE(openssl_is_counted);
  testkit::direct_link link(true);
  // What is made once for the endpoints and for OpenSSL's own tables is no connection's.
  const auto first = link.connect();
  move_one_megabyte(link, first);
  link.sender.at(first).close(link.now, 0, {});
  link.sender.at(first).release();
  link.idle_until(link.now + 30s);
  const std::size_t before = testkit::held_bytes();

  std::vector<connection_handle> open;
  for (std::size_t i = 0; i < connections; ++i) open.push_back(link.connect());
  UNSCOPED_INFO("right after the handshake: " << per_connection(before));
  link.idle_until(link.now + 3s);
  const std::size_t after_handshake = per_connection(before);
  for (const auto handle : open) move_one_megabyte(link, handle);
  UNSCOPED_INFO("right after a transfer: " << per_connection(before));
  link.idle_until(link.now + 3s);
  const std::size_t after_transfer = per_connection(before);
  for (const auto handle : open) {
    link.sender.at(handle).close(link.now, 0, {});
    link.sender.at(handle).release();
  }
  link.idle_until(link.now + 30s);
  UNSCOPED_INFO("after close: " << per_connection(before));
  UNSCOPED_INFO("handshake " << after_handshake << ", transfer " << after_transfer);
  CHECK(after_handshake < 14'000);
  CHECK(after_transfer < 14'000);
  CHECK(per_connection(before) < 512);
}
