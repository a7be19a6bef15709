// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/socks_address.hpp"

using namespace strata::transport;
using enum socks_numbering;

namespace {

std::vector<std::byte> encoded(const socks_address& value, socks_numbering numbering = socks5) {
  std::vector<std::byte> memory(socks_address::max_encoded_size);
  buffer_writer writer(memory);
  encode(value, writer, numbering);
  CHECK(writer.ok() == (encoded_size(value) != 0));
  CHECK(writer.size() == encoded_size(value));
  memory.resize(writer.size());
  return memory;
}

std::string text_of(const std::vector<std::byte>& octets) { return std::string(as_text(octets)); }

/// Gives the value back, takes no byte more, and wants more bytes at every cut.
void check_round_trip(const socks_address& value, socks_numbering numbering) {
  std::vector<std::byte> whole = encoded(value, numbering);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto part = decode_socks_address(bytes(whole).first(cut), numbering);
    REQUIRE(part);
    CHECK(part->size == 0);
  }
  whole.push_back(std::byte{0xff});
  const auto read = decode_socks_address(whole, numbering);
  REQUIRE(read);
  CHECK(read->size == whole.size() - 1);
  CHECK(read->value == value);
}

const address v4 = address::parse("192.0.2.7:443").value();
const address v6 = address::parse("[2001:db8::9]:80").value();

}  // namespace

TEST_CASE("socks address: octets as in RFC 1928 section 5", "[transport][socks]") {
  CHECK(text_of(encoded(socks_address::of(v4))) == std::string("\x01\xc0\x00\x02\x07\x01\xbb", 7));
  CHECK(text_of(encoded(socks_address::of("a.example", 80))) == std::string("\x03\x09"
                                                                            "a.example\x00\x50",
                                                                            13));
  CHECK(text_of(encoded(socks_address::of(v6))) ==
        std::string("\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\x00\x50", 19));
}

TEST_CASE("socks address: octets as udp-over-tcp numbers them", "[transport][socks]") {
  CHECK(encoded(socks_address::of(v4), udp_over_tcp).front() == std::byte{0});
  CHECK(encoded(socks_address::of(v6), udp_over_tcp).front() == std::byte{1});
  CHECK(encoded(socks_address::of("a", 1), udp_over_tcp).front() == std::byte{2});
}

TEST_CASE("socks address: all three kinds come back, in both numberings", "[transport][socks]") {
  for (const auto numbering : {socks5, udp_over_tcp}) {
    check_round_trip(socks_address::of(v4), numbering);
    check_round_trip(socks_address::of(v6), numbering);
    check_round_trip(socks_address::of("example.org", 65535), numbering);
    check_round_trip(socks_address::of(address::any_v4(0)), numbering);
  }
}

TEST_CASE("socks address: names of 254, 255 and 256 octets", "[transport][socks]") {
  for (const std::size_t size : {std::size_t{1}, std::size_t{254}, std::size_t{255}}) {
    const std::string name(size, 'n');
    check_round_trip(socks_address::of(name, 7), socks5);
  }
  const std::string longer(256, 'n');
  CHECK(encoded_size(socks_address::of(longer, 7)) == 0);
  CHECK(encoded(socks_address::of(longer, 7)).empty());
  CHECK(encoded(socks_address{}).empty());
}

TEST_CASE("socks address: types that a numbering does not have", "[transport][socks]") {
  for (unsigned type = 0; type < 256; ++type) {
    std::vector<std::byte> octets(32, std::byte{5});
    octets[0] = static_cast<std::byte>(type);
    const bool socks = type == 1 || type == 3 || type == 4;
    CHECK(decode_socks_address(octets).has_value() == (socks && type != 3));
    CHECK(decode_socks_address(octets, udp_over_tcp).has_value() == (type < 2));
    if (!socks) CHECK(decode_socks_address(octets).error() == errc::malformed);
    if (!socks) CHECK_FALSE(decode_socks_address(bytes(octets).first(1)));
  }
}

TEST_CASE("socks address: names that would forge text, and the empty one", "[transport][socks]") {
  const auto name = [](std::string_view text) {
    return decode_socks_address(as_bytes(text)).has_value();
  };
  CHECK(name(std::string_view("\x03\x02xy\0\0", 6)));
  CHECK_FALSE(name(std::string_view("\x03\0\0\0", 4)));
  CHECK_FALSE(name(std::string_view("\x03\0", 2)));
  CHECK(name("\x03"));  // Its length is still to come.
  CHECK_FALSE(name(std::string_view("\x03\x02x\0\0\0", 6)));
  CHECK_FALSE(name(std::string_view("\x03\x02x\n\0\0", 6)));
  CHECK_FALSE(name(std::string_view("\x03\x02x \0\0", 6)));
  CHECK_FALSE(name(std::string_view("\x03\x02x\x7f\0\0", 6)));
}

TEST_CASE("socks address: an IPv6 address that maps an IPv4 address is that address",
          "[transport][socks]") {
  const std::string mapped("\x04\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1\0\7", 19);
  const auto read = decode_socks_address(as_bytes(mapped));
  REQUIRE(read);
  CHECK(read->value.ip == address::loopback_v4(7));
}
