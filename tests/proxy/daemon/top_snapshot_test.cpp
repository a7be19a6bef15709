// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "top/printable.hpp"
#include "top/snapshot.hpp"

using namespace top;

namespace {

const std::string metrics = R"(# HELP strata_proxy_build_info Which version this is.
# TYPE strata_proxy_build_info gauge
strata_proxy_build_info{version="0.1.0"} 1
strata_proxy_uptime_seconds 61
strata_proxy_ready 0
strata_proxy_connections_total{inbound="home"} 12
strata_proxy_connections_total{inbound="lan"} 30
strata_proxy_connections{inbound="home"} 2
strata_proxy_requests_total{rule="a \"b\" \\ c\nd",outbound="direct",result="ok"} 5
strata_proxy_requests_total{rule="a \"b\" \\ c\nd",outbound="direct",result="error"} 2
strata_proxy_sessions{rule="x",outbound=""} 3
strata_proxy_bytes_total{rule="x",outbound="",direction="sent"} 1e3
strata_proxy_bytes_total{rule="x",outbound="",direction="received"} 18446744073709551615
strata_proxy_connect_seconds_bucket{outbound="a",le="0.01"} 1
strata_proxy_connect_seconds_bucket{outbound="b",le="0.01"} 2
strata_proxy_connect_seconds_bucket{outbound="b",le="+Inf"} 4
something_else{of="others"} -1
)";

}  // namespace

TEST_CASE("top: figures are read from Prometheus' text, inbounds and outbounds added up") {
  const auto read = parse_metrics(metrics);
  REQUIRE(read);
  CHECK(read->version == "0.1.0");
  CHECK(read->uptime == 61);
  CHECK_FALSE(read->is_ready);
  CHECK(read->accepted == 42);
  CHECK(read->connections == 2);
  REQUIRE(read->ways.size() == 2);
  const way_totals& quoted = read->ways.at({"a \"b\" \\ c\nd", "direct"});
  CHECK(quoted.requests == 7);
  CHECK(quoted.failures == 2);
  const way_totals& other = read->ways.at({"x", ""});
  CHECK(other.sessions == 3);
  CHECK(other.sent == 1000);
  CHECK(other.received == 9007199254740992);
  REQUIRE(read->connecting.size() == 2);
  CHECK(read->connecting.begin()->second == 3);
  CHECK(read->connecting.rbegin()->second == 4);
}

TEST_CASE("top: what is no page of strata-proxy is told with its line, wherever it is cut") {
  CHECK(parse_metrics("").error() == "that is no strata-proxy, or one that is too old");
  CHECK(parse_metrics("up 1\n").error() == "that is no strata-proxy, or one that is too old");
  for (const char* bad : {"<html>", "x", "x{", "x{a=\"", "x{a=\"b\"", "x{a=\"b\"}",
                          "x{a=\"b\"} nan", "x 1 2 3", "x{a} 1", "{a=\"b\"} 1"}) {
    INFO(bad);
    const auto read = parse_metrics(std::string("strata_proxy_ready 1\n") + bad + "\n");
    REQUIRE_FALSE(read);
    CHECK(read.error() == "/metrics, line 2 is not as expected");
  }
  for (std::size_t size = 0; size <= metrics.size(); ++size)
    static_cast<void>(parse_metrics(std::string_view(metrics).substr(0, size)));
}

TEST_CASE("top: numbers that no counter has do no harm") {
  for (const char* number : {"-5", "1e300", "+Inf"}) {
    INFO(number);
    const auto read = parse_metrics(
        "strata_proxy_build_info{version=\"1\"} 1\n"
        "strata_proxy_uptime_seconds " +
        std::string(number) + "\n");
    REQUIRE(read);
    CHECK(read->uptime <= 9007199254740992);
  }
}

TEST_CASE("top: sessions are read by their titles") {
  const auto read = parse_sessions(
      "client\tnew\tsent\treceived\tmilliseconds\ttarget\trule\n"
      "192.0.2.1:5\tx\t1\t2\t3\ta\\x09b\\x5cc\\x\tr\n");
  REQUIRE(read);
  REQUIRE(read->size() == 1);
  const session& one = read->front();
  CHECK(one.client == "192.0.2.1:5");
  CHECK(one.sent == 1);
  CHECK(one.received == 2);
  CHECK(one.milliseconds == 3);
  CHECK(one.target == "a\tb\\c\\x");
  CHECK(one.rule == "r");
  CHECK(parse_sessions("client\n")->empty());
  CHECK(parse_sessions("").error() == "/sessions.tsv, line 1 is not as expected");
  CHECK(parse_sessions("[]\n").error() == "/sessions.tsv, line 1 is not as expected");
  CHECK(parse_sessions("client\tsent\na\t1\nb\n").error() ==
        "/sessions.tsv, line 3 is not as expected");
  CHECK(parse_sessions("client\tsent\na\t-1\n").error() ==
        "/sessions.tsv, line 2 is not as expected");
}

TEST_CASE("top: no text controls the terminal", "[attack][P31][proxy]") {
  // Sequences that set the title, clear, answer, and the same by C1 in one byte, in UTF-8 and in
  // the overlong form of a control character.
  CHECK(printable("\x1b]0;owned\x07", false) == "?]0;owned?");
  CHECK(printable("a\r\n\tb\x7f\x08", false) == "a???b??");
  CHECK(printable("\x9b"
                  "2J",
                  false) == "?2J");
  CHECK(printable("\xc2\x9b"
                  "2J",
                  false) == "?2J");
  CHECK(printable("\xc0\x9b[2J", false) == "?[2J");
  CHECK(printable("\xe0\x80\x9b[2J", false) == "?[2J");
  // Right to left (U+202E), no width (U+200B), two columns (U+4E2D), four bytes, combining.
  CHECK(printable("a\u202eb\u200bc\u4e2dd\U0001f600e\u0301\u00ad", false) == "a?b?c?d?e??");
  CHECK(printable("\xff\xc3", false) == "??");
  CHECK(printable("\xe4\xa5", false) == "?");
  CHECK(printable("ünü жα", false) == "ünü жα");
  CHECK(printable("ünü", true) == "?n?");
  for (unsigned octet = 0; octet < 256; ++octet) {
    for (unsigned next = 0; next < 256; ++next) {
      const std::string text{static_cast<char>(octet), static_cast<char>(next)};
      for (const char each : printable(text, false)) {
        const auto is = static_cast<unsigned char>(each);
        REQUIRE(is >= 0x20);
        REQUIRE(is != 0x7f);
      }
      REQUIRE(columns(printable(text, false)) <= 2);
      REQUIRE(printable(text, false).find("\xc2\x9b") == std::string::npos);
    }
  }
}

TEST_CASE("top: text is cut and filled by columns, not by bytes") {
  CHECK(columns("жα…") == 3);
  CHECK(cut("жабра", 5, false) == "жабра");
  CHECK(cut("жабра", 4, false) == "жаб…");
  CHECK(cut("abcde", 4, true) == "abc~");
  CHECK(cut("abcde", 1, true) == "~");
  CHECK(cut("abcde", 0, true).empty());
  CHECK(padded("ж", 3) == "ж  ");
  CHECK(padded("ж", 3, true) == "  ж");
  CHECK(padded("abcd", 3) == "abcd");
}
