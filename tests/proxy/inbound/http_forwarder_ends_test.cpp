// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "core/inbound/lent_output.hpp"
#include "proxy/inbound/forward_run.hpp"
#include "strata/proxy/core/limits.hpp"

// How carriers end, what is held meanwhile, and when a carrier serves again.

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;

namespace {

const std::string ok_five = response(200, "Content-Length: 5\r\n") + "hello";
constexpr std::size_t most = limits::max_forwarder_output;

bool is_502(const std::string& text) { return text.starts_with("HTTP/1.1 502 "); }

}  // namespace

TEST_CASE("http_forwarder: an origin that answers before it has the request", "[proxy][http]") {
  const std::string request = post("http://a/", "Content-Length: 5\r\n");
  for (const std::string& body :
       {ok_five, response(413), response(200, "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"}) {
    forward_run run(request + "hel");
    run.dial();
    run.origin(body);
    if (body == response(413)) run.end_origin();
    CHECK(run.take_client().find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.forwarder.broken());
    CHECK_FALSE(run.forwarder.origin_reusable());
    CHECK_FALSE(run.forwarder.wants_client());
    run.client("lo" + get("http://b/"));
    CHECK_FALSE(run.wants_dial());
  }
  // A response that begins early, with the request still going on: both are carried to the end.
  forward_run echo(request + "hel");
  echo.dial();
  echo.origin(ok_five.substr(0, ok_five.size() - 5));
  CHECK(echo.take_client().find("\r\nConnection: close\r\n") != std::string::npos);
  echo.take_origin();
  echo.client("lo");
  CHECK(echo.take_origin() == "lo");
  echo.origin("hello");
  CHECK(echo.take_client() == "hello");
  CHECK(echo.forwarder.finished());
}

TEST_CASE("http_forwarder: a response that is cut short is known to be", "[proxy][http]") {
  const std::string chunked =
      response(200, "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n";
  for (const std::string& text : {ok_five, chunked}) {
    const std::size_t head = text.find("\r\n\r\n") + 4;
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
      for (const bool in_order : {true, false}) {
        forward_run run(get("http://a/"));
        run.dial();
        run.origin(text.substr(0, cut));
        CHECK_FALSE(run.forwarder.finished());
        run.end_origin(in_order);
        CHECK(run.forwarder.finished());
        CHECK(run.forwarder.broken() == (cut >= head));
        const std::string got = run.take_client();
        CHECK(is_502(got) == (cut < head));
        if (cut >= head) CHECK_FALSE(got.ends_with("\r\n0\r\n\r\n"));
      }
    }
  }
  for (const std::string_view version : {"1.0", "1.1"}) {
    forward_run run("GET http://a/ HTTP/" + std::string(version) + "\r\nHost: a\r\n\r\n");
    run.dial();
    run.origin(response(200) + "some");
    run.end_origin(false);
    CHECK(run.forwarder.broken());
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.take_client().ends_with("0\r\n\r\n"));
  }
}

TEST_CASE("http_forwarder: an origin that says what is no response", "[proxy][http]") {
  for (const std::string& text :
       {std::string("SSH-2.0-x\r\n"), response(101, "Upgrade: x\r\nConnection: upgrade\r\n"),
        response(200, "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        response(200, "Content-Length: 1\r\nContent-Length: 2\r\n"), response(200, "A : b\r\n")}) {
    forward_run run(get("http://a/"));
    run.dial();
    run.origin(text + "more");
    CHECK(is_502(run.take_client()));
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.forwarder.broken());
    CHECK_FALSE(run.forwarder.origin_reusable());
  }
  forward_run run(get("http://a/"));
  run.dial();
  run.origin(response(200, "Transfer-Encoding: chunked\r\n") + "5\r\nhello\n");
  CHECK(run.forwarder.broken());
  CHECK(run.forwarder.finished());
}

TEST_CASE("http_forwarder: a client that ends", "[proxy][http]") {
  // Behind a whole request it is answered, and nothing follows.
  for (const bool before_dial : {true, false}) {
    forward_run run(get("http://a/"));
    if (before_dial) run.end_client();
    run.dial();
    if (!before_dial) run.end_client();
    run.origin(ok_five);
    CHECK(run.take_client().ends_with("hello"));
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.forwarder.broken());
  }
  forward_run told(get("http://a/"));
  told.end_client();
  told.dial();
  told.origin(ok_five);
  CHECK(told.take_client().find("\r\nConnection: close\r\n") != std::string::npos);
  forward_run meanwhile(get("http://a/"));
  meanwhile.dial();
  meanwhile.origin(ok_five.substr(0, ok_five.size() - 1));
  meanwhile.end_client();
  CHECK_FALSE(meanwhile.forwarder.finished());
  meanwhile.origin("o");
  CHECK(meanwhile.take_client().ends_with("hello"));
  CHECK(meanwhile.forwarder.finished());
  // Within its body the origin must not take what came for all.
  forward_run run(post("http://a/", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n");
  run.dial();
  CHECK_FALSE(run.take_origin().ends_with("0\r\n\r\n"));
  run.end_client();
  CHECK(run.take_origin().empty());
  CHECK(run.take_client().empty());
  CHECK(run.forwarder.finished());
  CHECK_FALSE(run.forwarder.origin_reusable());
  forward_run begun(post("http://a/", "Content-Length: 5\r\n"));
  begun.dial();
  begun.origin(response(200) + "x");
  begun.end_client();
  CHECK(begun.forwarder.broken());
  forward_run never(post("http://a/", "Content-Length: 5\r\n"));
  never.end_client();
  CHECK_FALSE(never.wants_dial());
  CHECK(never.forwarder.finished());
}

TEST_CASE("http_forwarder: a body of a request that breaks its coding", "[proxy][http]") {
  const std::string request = post("http://a/", "Transfer-Encoding: chunked\r\n");
  forward_run run(request + "5\r\nhello\r\nx" + get("http://b/"));
  run.dial();
  CHECK(run.take_client().starts_with("HTTP/1.1 400 "));
  CHECK(run.forwarder.finished());
  CHECK_FALSE(run.forwarder.broken());
  CHECK(run.untaken_by_client() == 0);
  forward_run begun(request + "5\r\nhello\r\n");
  begun.dial();
  begun.origin(ok_five.substr(0, ok_five.size() - 1));
  begun.client("x");
  CHECK(begun.forwarder.broken());
}

TEST_CASE("http_forwarder: a carrier that served before and ends is replaced, once",
          "[proxy][http]") {
  for (const auto& [request, repeated] :
       {std::pair(get("http://a/2"), true),
        std::pair(head_of("DELETE http://a/2 HTTP/1.1", "Host: a\r\n"), true),
        std::pair(head_of("PUT http://a/2 HTTP/1.1", "Host: a\r\nContent-Length: 0\r\n"), true),
        std::pair(head_of("PUT http://a/2 HTTP/1.1", "Host: a\r\nContent-Length: 1\r\n") + "x",
                  false),
        std::pair(post("http://a/2", "Content-Length: 0\r\n"), false)}) {
    for (const bool in_order : {true, false}) {
      forward_run run(get("http://a/1"));
      run.dial();
      run.origin(ok_five);
      run.take_client();
      run.client(request);
      REQUIRE(run.forwarder.origin_reusable());
      run.take_origin();
      run.dial();
      const std::string asked = run.take_origin();
      run.end_origin(in_order);
      CHECK(run.wants_dial() == repeated);
      CHECK(is_502(run.take_client()) == !repeated);
      if (!repeated) continue;
      CHECK_FALSE(run.forwarder.origin_reusable());
      run.dial();
      CHECK(run.take_origin() == asked);
      run.end_origin(in_order);
      CHECK_FALSE(run.wants_dial());
      CHECK(is_502(run.take_client()));
    }
  }
  // Not when anything came, nor the first that a carrier serves.
  forward_run run(get("http://a/1") + get("http://a/2"));
  run.dial();
  run.origin(ok_five);
  run.take_client();
  run.dial();
  run.origin("H");
  run.end_origin();
  CHECK(is_502(run.take_client()));
  forward_run first(get("http://a/1"));
  first.dial();
  first.end_origin();
  CHECK(is_502(first.take_client()));
}

TEST_CASE("http_forwarder: what is lent stays where it is", "[proxy][http]") {
  forward_run run(get("http://a/1"));
  run.dial();
  http_forwarder& forwarder = run.forwarder;
  const std::string big(most / 2, 'x');
  forwarder.receive_origin(as_bytes(response(200, "Content-Length: 1000000\r\n")));
  const auto head = forwarder.to_client();
  const std::string copy(as_text(head));
  forwarder.receive_origin(as_bytes(big));
  forwarder.receive_origin(as_bytes(big));
  CHECK(as_text(head) == copy);
  forwarder.sent_to_client(head.size() - 1);
  CHECK(forwarder.to_client().size() == 1);
  forwarder.receive_origin(as_bytes(big));
  forwarder.sent_to_client(1);
  CHECK(as_text(forwarder.to_client()).starts_with(std::string(1000, 'x')));

  // Of a carrier that ended with the request half out, while a write still holds it.
  forward_run again(get("http://a/1"));
  again.dial();
  again.origin(ok_five);
  again.forwarder.receive_client(as_bytes(get("http://a/2")));
  again.forwarder.connected();
  const auto lent = again.forwarder.to_origin();
  const std::string whole(as_text(lent));
  again.forwarder.end_origin(false);
  CHECK(again.forwarder.to_origin().empty());
  again.forwarder.connected();
  const auto second = again.forwarder.to_origin();
  CHECK(as_text(lent) == whole);
  CHECK(as_text(second) == whole);
  CHECK(lent.data() != second.data());
}

TEST_CASE("http_forwarder: what waits is bounded on both ways", "[proxy][http]") {
  for (const std::string_view fields : {"Content-Length: 1000000\r\n", ""}) {
    forward_run run(get("http://a/"));
    run.dial();
    http_forwarder& forwarder = run.forwarder;
    forwarder.receive_origin(as_bytes(response(200, fields)));
    const std::size_t head = forwarder.to_client().size();
    const std::string some(1000000, 'x');
    const std::size_t taken = forwarder.receive_origin(as_bytes(some));
    CHECK_FALSE(forwarder.wants_origin());
    CHECK(taken + head == most + 1);
    CHECK(forwarder.receive_origin(as_bytes(some)) == 0);
    forwarder.sent_to_client(1 + (fields.empty() ? 20 : 0));
    CHECK(forwarder.wants_origin());
    CHECK(forwarder.receive_origin(as_bytes(some)) > 0);
  }
  forward_run run(post("http://a/", "Content-Length: 1000000\r\n"));
  run.dial();
  const std::string some(most, 'x');
  CHECK(run.forwarder.receive_client(as_bytes(some)) == most);
  // Exactly at the limit more is wanted: one byte.
  CHECK(run.forwarder.wants_client());
  CHECK(run.forwarder.receive_client(as_bytes(some)) == 1);
  CHECK_FALSE(run.forwarder.wants_client());
  run.forwarder.sent_to_origin(1);
  CHECK(run.forwarder.wants_client());
  CHECK(run.forwarder.receive_client(as_bytes(some)) == 1);
  run.forwarder.sent_to_origin(2);
  CHECK(run.forwarder.receive_client(as_bytes(some)) == 2);
}

TEST_CASE("http_forwarder: no request is read while too much waits for the client",
          "[proxy][http]") {
  forward_run run(get("http://a/"));
  run.dial();
  http_forwarder& forwarder = run.forwarder;
  forwarder.receive_origin(
      as_bytes(response(200, "Content-Length: " + std::to_string(most) + "\r\n")));
  const std::size_t head = forwarder.to_client().size();
  const std::string some(most, 'x');
  forwarder.receive_origin(as_bytes(some));
  forwarder.sent_to_client(head - 1);
  CHECK(forwarder.receive_origin(as_bytes(some).first(head - 1)) == head - 1);
  CHECK_FALSE(forwarder.is_idle());
  CHECK_FALSE(forwarder.wants_client());
  CHECK(forwarder.receive_client(as_bytes(get("http://b/"))) == 0);
  forwarder.sent_to_client(1);
  CHECK(forwarder.wants_client());
}

TEST_CASE("http_forwarder: a long body is carried whole in both ways", "[proxy][http]") {
  std::string body;
  for (int i = 0; i < 50000; ++i) body += std::to_string(i);
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  for (const std::size_t step : {std::size_t{1000}, std::size_t{1} << 20}) {
    forward_run run(post("http://a/", length) + body, {}, step);
    run.dial();
    CHECK(run.take_origin().ends_with("\r\n\r\n" + body));
    run.origin(response(200, length) + body);
    CHECK(run.take_client().ends_with("\r\n\r\n" + body));
    CHECK(run.forwarder.is_idle());
  }
}

TEST_CASE("lent_output: what is sent of much is not kept", "[proxy][http]") {
  lent_output output;
  std::string expected;
  for (int i = 0; i < 20000; ++i) expected += std::to_string(i);
  output.end() = expected;
  for (int round = 0; round < 4; ++round) {
    output.lend();
    output.sent(20000);
    output.end().append("more");
    expected = expected.substr(20000).append("more");
    CHECK(as_text(output.lend()) == expected);
    output.sent(0);
  }
  CHECK(output.end().size() < expected.size() + 33 * 1024);
}

TEST_CASE("lent_output: order, whatever is lent", "[proxy][http]") {
  lent_output output;
  std::string expected;
  std::string got;
  for (int i = 0; i < 3000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 97), static_cast<char>('a' + i % 26));
    if (i % 3 == 0) output.lend();
    output.end().append(piece);
    expected += piece;
    CHECK(output.size() == expected.size() - got.size());
    if (i % 2 == 0) continue;
    const auto lent = output.lend();
    const std::size_t size = std::min<std::size_t>(lent.size(), 60);
    got += as_text(lent.first(size));
    output.sent(size);
  }
  while (!output.empty()) {
    const auto lent = output.lend();
    got += as_text(lent);
    output.sent(lent.size());
  }
  CHECK(got == expected);
  CHECK(output.lend().empty());
}
