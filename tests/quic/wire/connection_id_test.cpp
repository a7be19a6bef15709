// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/connection_id.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <unordered_map>

#include "hex.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using quic::connection_id;
using testkit::from_hex;

TEST_CASE("connection_id: holds 0 to 20 bytes and gives them back", "[quic][wire][connection_id]") {
  for (std::size_t size = 0; size <= connection_id::max_size; ++size) {
    std::vector<std::byte> value(size, std::byte{0xa5});
    const connection_id id{transport::bytes(value)};
    CHECK(id.size() == size);
    CHECK(id.empty() == (size == 0));
    CHECK(transport::equal_bytes(id.bytes(), value));
    CHECK(id == transport::bytes(value));
  }
}

TEST_CASE("connection_id: length is part of equality", "[quic][wire][connection_id]") {
  const connection_id none;
  const connection_id zero{transport::bytes(from_hex("00"))};
  const connection_id two_zeros{transport::bytes(from_hex("0000"))};
  CHECK(none == connection_id());
  CHECK(none != zero);
  CHECK(zero != two_zeros);
  CHECK(zero == connection_id{transport::bytes(from_hex("00"))});
  CHECK_FALSE(zero == transport::bytes(from_hex("0000")));
}

TEST_CASE("connection_id: hex is lower case, two digits per byte", "[quic][wire][connection_id]") {
  CHECK(connection_id().hex().empty());
  CHECK(connection_id{transport::bytes(from_hex("8394c8f03e515708"))}.hex() == "8394c8f03e515708");
}

TEST_CASE("connection_id: hash depends on every byte, the length and the key",
          "[quic][wire][connection_id]") {
  std::set<std::uint64_t> hashes;
  for (std::size_t size = 0; size <= connection_id::max_size; ++size) {
    std::vector<std::byte> value(size);
    hashes.insert(connection_id{transport::bytes(value)}.hash(7));
    for (std::size_t i = 0; i < size; ++i) {
      value[i] = std::byte{1};
      hashes.insert(connection_id{transport::bytes(value)}.hash(7));
      value[i] = std::byte{0};
    }
  }
  CHECK(hashes.size() == 21 + 210);
  CHECK(connection_id().hash(1) != connection_id().hash(2));
  CHECK(connection_id().hash(1) == connection_id().hash(1));
}

TEST_CASE("connection_id: counted IDs spread over the buckets of a table",
          "[quic][wire][connection_id]") {
  std::vector<int> buckets(256);
  for (std::uint32_t i = 0; i < 256 * 64; ++i) {
    std::vector<std::byte> value(8);
    for (std::size_t j = 0; j < 4; ++j) value[j] = static_cast<std::byte>(i >> (8 * j));
    ++buckets[connection_id{transport::bytes(value)}.hash(0x1234) & 255];
  }
  for (const int count : buckets) {
    CHECK(count > 24);
    CHECK(count < 128);
  }
}

TEST_CASE("connection_id_hash: serves an unordered container", "[quic][wire][connection_id]") {
  std::unordered_map<connection_id, int, quic::connection_id_hash> table(
      8, quic::connection_id_hash{42});
  table[connection_id{transport::bytes(from_hex("01"))}] = 1;
  table[connection_id{transport::bytes(from_hex("0100"))}] = 2;
  CHECK(table.size() == 2);
  CHECK(table.at(connection_id{transport::bytes(from_hex("0100"))}) == 2);
}
