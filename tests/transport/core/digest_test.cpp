// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/transport/core/digest.hpp"

using namespace strata::transport;

namespace {

std::string hex(bytes of) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string made;
  for (const std::byte one : of) {
    made += digits[std::to_integer<unsigned>(one) / 16];
    made += digits[std::to_integer<unsigned>(one) % 16];
  }
  return made;
}

}  // namespace

TEST_CASE("digest: MD5 of the suite in RFC 1321", "[transport][digest]") {
  CHECK(hex(md5({}).value()) == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(hex(md5(as_bytes("abc")).value()) == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(hex(md5(as_bytes("message digest")).value()) == "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST_CASE("digest: SHA-256 of the examples in FIPS 180", "[transport][digest]") {
  CHECK(hex(sha256({}).value()) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256(as_bytes("abc")).value()) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).value()) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("digest: comparing sees every byte, and sizes", "[transport][digest]") {
  const std::array<std::byte, 32> one = sha256(as_bytes("one")).value();
  CHECK(equal_in_constant_time(one, one));
  CHECK(equal_in_constant_time({}, {}));
  CHECK_FALSE(equal_in_constant_time(one, bytes(one).first(31)));
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::array<std::byte, 32> other = one;
    other[i] ^= std::byte{1};
    CHECK_FALSE(equal_in_constant_time(one, other));
  }
}
