// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/inbound/forward_run.hpp"
#include "strata/proxy/core/limits.hpp"

// The attacks of tests/hostile/catalogue.md on who forwards HTTP.

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;

namespace {

const std::string ok_five = response(200, "Content-Length: 5\r\n") + "hello";

/// A second request, behind one that was answered.
forward_run second(std::string_view text) {
  forward_run run(get("http://a/1"));
  run.dial();
  run.take_origin();
  run.origin(ok_five);
  run.take_client();
  run.client(text);
  return run;
}

}  // namespace

TEST_CASE("http_forwarder: heads without end, of clients and of origins", "[attack][P14][proxy]") {
  std::string fields;
  for (int i = 0; i < 10000; ++i) fields += "a: b\r\n";
  for (const std::string& text :
       {"GET http://a/" + std::string(65536, 'x'), get("http://a/", fields),
        get("http://a/", "X: " + std::string(65536, 'x') + "\r\n")}) {
    forward_run run = second(text);
    CHECK(run.forwarder.finished());
    CHECK(run.take_client().starts_with("HTTP/1.1 4"));
  }
  for (const std::string& text :
       {std::string(65536, 'x'), response(200, fields),
        response(200, "X: " + std::string(65536, 'x') + "\r\n"),
        response(200, "Transfer-Encoding: chunked\r\n") + "1;" + std::string(65536, 'x')}) {
    forward_run run(get("http://a/"));
    run.dial();
    run.origin(text);
    CHECK(run.forwarder.finished());
    CHECK(run.take_client().size() < 1000);
  }
}

TEST_CASE("http_forwarder: nothing passes that two readers understand differently",
          "[attack][P15][proxy]") {
  for (const std::string_view fields :
       {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n", "Content-Length: +4\r\n",
        "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: x\r\n",
        "Transfer-Encoding : chunked\r\n", "X: y\r\n Z: 1\r\n", "X: y\nZ: 1\r\n"}) {
    forward_run run = second(post("http://a/2", fields) + "4\r\nGET \r\n0\r\n\r\n");
    CHECK(run.forwarder.finished());
    CHECK(run.take_origin().empty());
  }
  // The Host that the origin sees is the target's, and there is one of it.
  forward_run host =
      second(head_of("GET http://good/ HTTP/1.1", "Host: evil\r\nConnection: Host\r\n"));
  host.dial();
  CHECK(host.take_origin() == "GET / HTTP/1.1\r\nHost: good\r\nVia: 1.1 strata\r\n\r\n");
  // What stood in chunk extensions and trailers is gone; a chunk is where this side put it.
  forward_run chunked(post("http://a/", "Transfer-Encoding: chunked\r\n") +
                      "2;x=\"\\\"\"\r\nhi\r\n00\r\nContent-Length: 3\r\nHost: evil\r\n\r\n");
  chunked.dial();
  CHECK(chunked.take_origin() ==
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nVia: 1.1 strata\r\n\r\n"
        "2\r\nhi\r\n0\r\n\r\n");
  for (const std::string_view body :
       {"5\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n", "-5\r\nhello", "fffffffffffffffff\r\n"}) {
    forward_run run(post("http://a/", "Transfer-Encoding: chunked\r\n") + std::string(body));
    run.dial();
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.take_origin().ends_with("0\r\n\r\n"));
  }
}

TEST_CASE("http_forwarder: no carrier serves on behind a body or a switch without end",
          "[attack][P16][proxy]") {
  // An answer to a request that is still on its way.
  forward_run early(post("http://a/", "Content-Length: 100\r\n") + "x");
  early.dial();
  early.origin(ok_five);
  CHECK_FALSE(early.forwarder.origin_reusable());
  CHECK(early.forwarder.finished());
  // A switch that was not asked for, and one that was.
  for (const std::string_view fields : {"", "Upgrade: websocket\r\nConnection: Upgrade\r\n"}) {
    forward_run run(get("http://a/", fields));
    run.dial();
    CHECK(run.take_origin().find("pgrade") == std::string::npos);
    run.origin(response(101, "Upgrade: websocket\r\nConnection: Upgrade\r\n") + ok_five);
    CHECK(run.take_client().starts_with("HTTP/1.1 502 "));
    CHECK_FALSE(run.forwarder.origin_reusable());
  }
  // Bytes behind an answer would be the next one.
  for (const bool at_once : {true, false}) {
    forward_run run(get("http://a/1"));
    run.dial();
    run.origin(at_once ? ok_five + "HTTP/1.1 200 x\r\n" : ok_five);
    CHECK(run.forwarder.origin_reusable() == !at_once);
    if (!at_once) run.origin("HTTP/1.1 200 x\r\n");
    CHECK_FALSE(run.forwarder.origin_reusable());
    CHECK(run.forwarder.is_idle());
    run.take_client();
    run.client(get("http://a/2"));
    run.dial();
    run.origin(response(204));
    CHECK(run.take_client().starts_with("HTTP/1.1 204 "));
  }
  for (const std::string& text :
       {response(200) + "x", response(200, "Content-Length: 0\r\nConnection: close\r\n"),
        std::string("HTTP/1.0 200 x\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")}) {
    forward_run run(get("http://a/1"));
    run.dial();
    run.origin(text);
    run.end_origin();
    CHECK_FALSE(run.forwarder.origin_reusable());
    CHECK(run.forwarder.is_idle());
  }
  forward_run idle(get("http://a/1"));
  idle.dial();
  idle.origin(ok_five);
  CHECK(idle.forwarder.origin_reusable());
  idle.end_origin();
  CHECK_FALSE(idle.forwarder.origin_reusable());
  CHECK(idle.forwarder.is_idle());
  // A CONNECT late on the connection is no tunnel, and what is behind it no request.
  forward_run tunnel = second("CONNECT b:1 HTTP/1.1\r\nHost: b\r\n\r\n" + get("http://c/"));
  CHECK_FALSE(tunnel.wants_dial());
  CHECK(tunnel.take_client().starts_with("HTTP/1.1 400 "));
  CHECK(tunnel.forwarder.finished());
}

TEST_CASE("http_forwarder: fields of the hop stay, and Connection cannot take those that must go",
          "[attack][P17][proxy]") {
  forward_run run(post("http://a/",
                       "Connection: Host, Content-Length, Via, X-Auth, close\r\nX-Auth: x\r\n"
                       "Content-Length: 2\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n"
                       "proxy-connection: keep-alive\r\nX-Forwarded-For: 127.0.0.1\r\n") +
                  "hi");
  run.dial();
  CHECK(run.take_origin() ==
        "POST / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 127.0.0.1\r\nContent-Length: 2\r\n"
        "Via: 1.1 strata\r\n\r\nhi");
  run.origin(response(200,
                      "Connection: Content-Length, Set-Cookie\r\nSet-Cookie: x\r\n"
                      "Content-Length: 2\r\nProxy-Authenticate: Basic realm=\"phish\"\r\n") +
             "hi");
  CHECK(run.take_client() ==
        "HTTP/1.1 200 x\r\nContent-Length: 2\r\nConnection: close\r\nVia: 1.1 strata\r\n\r\nhi");
  // Each hop adds a Via, so a circle of proxies ends where a head has too many fields.
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "Via: 1.1 strata\r\n";
  forward_run circle(get("http://a/", fields));
  circle.dial();
  forward_run refused = second(get("http://a/", fields + "Via: 1.1 strata\r\n"));
  CHECK(refused.take_client().starts_with("HTTP/1.1 431 "));
}
