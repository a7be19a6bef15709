// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/outbound/opening_run.hpp"

// The attacks of tests/hostile/catalogue.md of a proxy on who dials through it.

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;
namespace errors = strata::proxy;

namespace {

socks_client_opening connected(std::size_t reply_at = 2) {
  socks_client_opening opening(command::connect, target("a", 1));
  play(opening, octets("\5\0").substr(0, reply_at));
  return opening;
}

}  // namespace

TEST_CASE("outbound: a proxy that chooses a method which was not offered", "[attack][P02][proxy]") {
  for (unsigned method = 1; method < 256; ++method) {
    socks_client_opening opening(command::connect, target("a", 1));
    const outcome seen = play(opening, std::string("\5") + static_cast<char>(method) +
                                           octets("\1\0\5\0\0\1\0\0\0\0\0\0"));
    CHECK(seen.at == kind::failed);
    CHECK(seen.sent == octets("\5\1\0"));
    CHECK(seen.taken == 2);
  }
}

TEST_CASE("outbound: lengths of a reply, and of what is asked for", "[attack][P03][proxy]") {
  // All lengths of a name, each cut short, complete, and with a byte of the tunnel behind it.
  for (unsigned size = 0; size < 256; ++size) {
    const std::string reply =
        octets("\5\0\0\3") + static_cast<char>(size) + std::string(size, '\xff') + octets("\0\1");
    socks_client_opening whole = connected();
    CHECK(play(whole, reply + "t").taken == reply.size());
    CHECK(whole.next().kind == kind::done);
    socks_client_opening shorter = connected();
    play(shorter, reply.substr(0, reply.size() - 1));
    CHECK(shorter.next().kind == kind::need_input);
  }
  for (const std::size_t size : {256u, 257u, 65536u, 65537u}) {
    const target where(std::string(size, 'n'), 1);
    CHECK(socks_client_opening(command::connect, where).next().kind == kind::failed);
    CHECK(http_connect_opening(where).next().kind == kind::failed);
  }
}

TEST_CASE("outbound: an answer that never ends is bounded", "[attack][P14][proxy]") {
  for (const std::string_view begin : {"", "H", "HTTP/1.1 200 ", "HTTP/1.1 200 x\r\n",
                                       "HTTP/1.1 200 x\r\nX: ", "HTTP/1.1 407 x\r\nX: "}) {
    http_connect_opening opening(target("a", 1));
    const std::string text = std::string(begin) + std::string(1 << 20, 'x');
    CHECK(play(opening, text, 1000).taken <= 17 * 1024);
    CHECK(opening.next().error == transport::errc::protocol_error);
  }
  std::string fields;
  for (int i = 0; i < 10000; ++i) fields += "a: b\r\n";
  http_connect_opening opening(target("a", 1));
  play(opening, "HTTP/1.1 200 x\r\n" + fields + "\r\n");
  CHECK(opening.next().kind == kind::failed);
  std::string interim;
  for (int i = 0; i < 1000; ++i) interim += "HTTP/1.1 103 x\r\n\r\n";
  http_connect_opening hinted(target("a", 1));
  CHECK(play(hinted, interim).taken < 200);
  CHECK(hinted.next().kind == kind::failed);
}

TEST_CASE("outbound: the fields of a grant do not swallow the tunnel", "[attack][P16][proxy]") {
  for (const std::string_view fields : {"Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n",
                                        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                                        "Upgrade: h2c\r\nConnection: upgrade\r\n"}) {
    const std::string head = "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n";
    http_connect_opening opening(target("a", 1));
    CHECK(play(opening, head + "4\r\ntunnel").taken == head.size());
    CHECK(opening.next().kind == kind::done);
  }
}
