// SPDX-License-Identifier: Apache-2.0
#include "strata/mux/core/udp_over_tcp.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "strata/transport/core/error.hpp"

using namespace strata::mux::core;
using strata::transport::address;
using strata::transport::as_bytes;
using strata::transport::as_text;
using strata::transport::buffer_writer;
using strata::transport::bytes;
using strata::transport::errc;
using strata::transport::socks_address;
using udp_over_tcp::framing;

// The golden bytes are those of sing's common/uot, by hand from its format.

namespace {

const address v4 = address::parse("127.0.0.1:53").value();
const address v6 = address::parse("[::1]:53").value();

std::string encoded(const udp_over_tcp::request& value) {
  std::vector<std::byte> memory(udp_over_tcp::max_request_size);
  buffer_writer writer(memory);
  udp_over_tcp::encode(value, writer);
  return writer.ok() ? std::string(as_text(writer.written())) : "failed";
}

std::string encoded(const socks_address& peer, std::string_view payload, framing framed) {
  std::vector<std::byte> memory(udp_over_tcp::max_header_size);
  buffer_writer writer(memory);
  udp_over_tcp::encode_header(peer, payload.size(), framed, writer);
  if (!writer.ok()) return "failed";
  return std::string(as_text(writer.written())) += payload;
}

std::string raw(std::string_view literal, std::size_t size) {
  return std::string(literal.data(), size);
}

/// Reads back, wants more at every cut, and takes no byte more.
void check_datagram(const std::string& wire, const socks_address& peer, std::string_view payload,
                    framing framed) {
  for (std::size_t cut = 0; cut < wire.size(); cut += 1 + cut / 300) {
    const auto part = udp_over_tcp::decode_datagram(as_bytes(wire).first(cut), framed);
    REQUIRE(part);
    REQUIRE(part->size == 0);
  }
  const std::string more = wire + "next";
  const auto read = udp_over_tcp::decode_datagram(as_bytes(more), framed);
  REQUIRE(read);
  CHECK(read->size == wire.size());
  CHECK(read->peer == peer);
  CHECK(as_text(read->payload) == payload);
}

void check_request(const std::string& wire, const udp_over_tcp::request& value) {
  CHECK(encoded(value) == wire);
  for (std::size_t cut = 0; cut < wire.size(); ++cut) {
    const auto part = udp_over_tcp::decode_request(as_bytes(wire).first(cut));
    REQUIRE(part);
    REQUIRE(part->size == 0);
  }
  const std::string more = wire + "next";
  const auto read = udp_over_tcp::decode_request(as_bytes(more));
  REQUIRE(read);
  CHECK(read->size == wire.size());
  CHECK(read->value == value);
}

}  // namespace

TEST_CASE("udp over tcp: which names ask for it", "[mux][uot]") {
  CHECK(udp_over_tcp::version_of("sp.udp-over-tcp.arpa") == 1);
  CHECK(udp_over_tcp::version_of("sp.v2.udp-over-tcp.arpa") == 2);
  CHECK(udp_over_tcp::version_of("SP.v2.UDP-over-TCP.arpa") == 2);
  CHECK_FALSE(udp_over_tcp::version_of("udp-over-tcp.arpa"));
  CHECK_FALSE(udp_over_tcp::version_of("sp.v2.udp-over-tcp.arpa.example"));
  CHECK_FALSE(udp_over_tcp::version_of(""));
}

TEST_CASE("udp over tcp: golden bytes of a version 2 request that does not connect", "[mux][uot]") {
  check_request(raw("\x00\x01\x7f\x00\x00\x01\x00\x35", 8), {false, socks_address::of(v4)});
  check_request(raw("\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x35", 20),
                {false, socks_address::of(v6)});
}

TEST_CASE("udp over tcp: golden bytes of a version 2 request that connects", "[mux][uot]") {
  check_request(raw("\x01\x01\x7f\x00\x00\x01\x00\x35", 8), {true, socks_address::of(v4)});
  check_request(raw("\x01\x03\x09"
                    "a.example\x01\xbb",
                    14),
                {true, socks_address::of("a.example", 443)});
  CHECK(udp_over_tcp::framing_of({true, {}}) == framing::connected);
  CHECK(udp_over_tcp::framing_of({false, {}}) == framing::addressed);
}

TEST_CASE("udp over tcp: golden bytes of datagrams with addresses, as in version 1", "[mux][uot]") {
  const auto check = [](const std::string& wire, const socks_address& peer,
                        std::string_view payload) {
    CHECK(encoded(peer, payload, framing::addressed) == wire);
    check_datagram(wire, peer, payload, framing::addressed);
  };
  check(raw("\x00\x7f\x00\x00\x01\x00\x35\x00\x03"
            "abc",
            12),
        socks_address::of(v4), "abc");
  check(raw("\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x35\x00\x01x", 22), socks_address::of(v6),
        "x");
  check(raw("\x02\x09"
            "a.example\x01\xbb\x00\x02hi",
            17),
        socks_address::of("a.example", 443), "hi");
}

TEST_CASE("udp over tcp: golden bytes of datagrams of a connected stream", "[mux][uot]") {
  CHECK(encoded({}, "abc", framing::connected) == raw("\x00\x03"
                                                      "abc",
                                                      5));
  check_datagram(raw("\x00\x03"
                     "abc",
                     5),
                 {}, "abc", framing::connected);
}

TEST_CASE("udp over tcp: an empty datagram is a datagram, in both framings", "[mux][uot]") {
  check_datagram(raw("\x00\x00", 2), {}, "", framing::connected);
  check_datagram(raw("\x00\x7f\x00\x00\x01\x00\x35\x00\x00", 9), socks_address::of(v4), "",
                 framing::addressed);
  CHECK(encoded({}, "", framing::connected) == raw("\x00\x00", 2));
}

TEST_CASE("udp over tcp: datagrams of 65,507, 65,534, 65,535 and 65,536 bytes", "[mux][uot]") {
  for (const std::size_t size : {65507uz, 65534uz, 65535uz}) {
    const std::string payload(size, 'd');
    for (const framing framed : {framing::addressed, framing::connected}) {
      const socks_address peer =
          framed == framing::addressed ? socks_address::of(v4) : socks_address();
      check_datagram(encoded(peer, payload, framed), peer, payload, framed);
    }
  }
  CHECK(encoded({}, std::string(65536, 'd'), framing::connected) == "failed");
  CHECK(encoded(socks_address::of(v4), std::string(65536, 'd'), framing::addressed) == "failed");
}

TEST_CASE("udp over tcp: what is no request, and what is no datagram", "[mux][uot]") {
  CHECK(udp_over_tcp::decode_request(as_bytes("\x02")).error() == errc::malformed);
  CHECK(udp_over_tcp::decode_request(as_bytes(raw("\x01\x00", 2))).error() == errc::malformed);
  CHECK(udp_over_tcp::decode_request(as_bytes(raw("\x00\x02", 2))).error() == errc::malformed);
  // The numbers of SOCKS5 are not those of datagrams.
  CHECK(udp_over_tcp::decode_datagram(as_bytes("\x03"), framing::addressed).error() ==
        errc::malformed);
  CHECK(udp_over_tcp::decode_datagram(as_bytes("\x04"), framing::addressed).error() ==
        errc::malformed);
  CHECK(udp_over_tcp::decode_datagram(as_bytes(raw("\x02\x00", 2)), framing::addressed).error() ==
        errc::malformed);
}

TEST_CASE("udp over tcp: what has no address cannot be encoded", "[mux][uot]") {
  CHECK(encoded(udp_over_tcp::request{}) == "failed");
  CHECK(encoded({}, "abc", framing::addressed) == "failed");
  const std::string longer(256, 'n');
  CHECK(encoded(socks_address::of(longer, 1), "abc", framing::addressed) == "failed");
}

TEST_CASE("udp over tcp: the longest request and the longest header", "[mux][uot]") {
  const std::string name(255, 'n');
  const auto longest = socks_address::of(name, 1);
  CHECK(encoded({false, longest}).size() == udp_over_tcp::max_request_size);
  CHECK(encoded(longest, "", framing::addressed).size() == udp_over_tcp::max_header_size);
}
