// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "proxy/daemon/sample_history.hpp"
#include "top/frame.hpp"
#include "top/printable.hpp"

using namespace top;
using namespace top::testing;

namespace {

frame_options sized(std::size_t width, std::size_t height) {
  frame_options made;
  made.width = width;
  made.height = height;
  made.source = "127.0.0.1:9090";
  return made;
}

std::string golden(const std::string& name) {
  std::ifstream file(std::string(STRATA_TOP_FRAMES) + "/" + name + ".txt");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> made;
  std::istringstream all(text);
  for (std::string each; std::getline(all, each);) made.push_back(each);
  return made;
}

}  // namespace

TEST_CASE("top: frames are drawn as those that are kept") {
  const history all = sample_history();
  for (const auto& [width, height] : {std::pair(80, 24), std::pair(40, 10), std::pair(200, 50)}) {
    const std::string name = std::to_string(width) + "x" + std::to_string(height);
    INFO(name);
    const auto drawn = draw(
        all.current(), sized(static_cast<std::size_t>(width), static_cast<std::size_t>(height)));
    CHECK(plain_text(drawn) == golden(name));
  }
}

TEST_CASE("top: a frame of any size fits, with whatever is in it", "[attack][P31][proxy]") {
  snapshot hostile = snapshot_of(3);
  hostile.version = "\x1b[2J";
  hostile.ways[{"\x1b]0;x\x07", "\r\n\x9b"}] = {.requests = 1};
  hostile.sessions[0].target = "\x1b[H" + std::string(10'000, 'x');
  for (const auto each : {&session::user, &session::rule, &session::outbound, &session::protocol})
    hostile.sessions[0].*each = "\u202e\n\n\n";
  hostile.sessions[0].client = "\x1b[6n";
  hostile.sessions[0].sent = UINT64_MAX;
  history all;
  all.add(history::time_point(), snapshot_of(2));
  all.add(history::time_point() + std::chrono::seconds(1), hostile);
  history lost = all;
  lost.lose("lost: \x1b[31m" + std::string(300, 'l'));
  for (std::size_t width = 1; width < 230; width += width < 30 ? 1 : 13) {
    for (std::size_t height = 1; height < 60; height += height < 30 ? 1 : 7) {
      for (const bool is_lost : {false, true}) {
        const history& drawn = is_lost ? lost : all;
        const std::string text = plain_text(draw(drawn.current(), sized(width, height)));
        const auto lines = lines_of(text);
        INFO(width << "x" << height << "\n" << text);
        REQUIRE(lines.size() == height);
        for (const std::string& each : lines) {
          REQUIRE(columns(each) <= width);
          for (const char octet : each) REQUIRE(static_cast<unsigned char>(octet) >= 0x20);
          REQUIRE(each.find("\xc2\x9b") == std::string::npos);
        }
      }
    }
  }
}

TEST_CASE("top: without a height all rows are there, and no keys") {
  frame_options how = sized(100, 0);
  how.is_interactive = false;
  const std::string text = plain_text(draw(sample_history().current(), how));
  CHECK(text.find("192.0.2.5:40039") != text.npos);
  CHECK(text.find("tunnel hidden") != text.npos);
  CHECK(text.find("q quit") == text.npos);
}

TEST_CASE("top: sessions are sorted as is wanted") {
  const history all = sample_history();
  const auto first = [&](order by) {
    frame_options how = sized(200, 0);
    how.sorted = by;
    const std::string text = plain_text(draw(all.current(), how));
    const std::size_t at = text.find("host-", text.find("TARGET"));
    return text.substr(at, text.find('.', at) - at);
  };
  CHECK(first(order::by_rate) == "host-0");
  CHECK(first(order::by_bytes) == "host-0");
  CHECK(first(order::by_age) == "host-39");
  CHECK(next(next(next(order::by_rate))) == order::by_rate);
}

TEST_CASE("top: what is lost, paused or draining is said") {
  history all = sample_history();
  snapshot last = snapshot_of(91);
  last.is_ready = false;
  all.add(history::time_point() + std::chrono::seconds(91), last);
  frame_options how = sized(80, 24);
  how.is_paused = true;
  CHECK(plain_text(draw(all.current(), how)).find("draining  paused") != std::string::npos);
  all.lose("lost: refused, tried again in 1.0 s");
  const auto lines = lines_of(plain_text(draw(all.current(), how)));
  CHECK(lines[1] == "lost: refused, tried again in 1.0 s");
  history never;
  never.lose("lost: refused");
  const auto first = lines_of(plain_text(draw(never.current(), sized(80, 24))));
  CHECK(first.size() == 24);
  CHECK(first[1] == "lost: refused");
  CHECK(first[2].ends_with("must say admin = \"127.0.0.1:9090\""));
}

TEST_CASE("top: a screen is replaced by one text, with colours or without any") {
  const auto drawn = draw(sample_history().current(), sized(80, 24));
  const std::string plain = screen_text(drawn, false);
  CHECK(plain.starts_with("\x1b[H"));
  CHECK(plain.ends_with("\x1b[K\x1b[J"));
  CHECK(plain.find("\x1b[2J") == plain.npos);
  CHECK(plain.find("\x1b[0m") == plain.npos);
  std::size_t ends = 0;
  for (std::size_t at = plain.find("\r\n"); at != plain.npos; at = plain.find("\r\n", at + 1))
    ++ends;
  CHECK(ends == 23);
  const std::string coloured = screen_text(drawn, true);
  CHECK(coloured.find("\x1b[7m") != coloured.npos);
  CHECK(coloured.find("\x1b[31m  7.0\x1b[0m") != coloured.npos);
  CHECK(coloured.find("\x1b[31m  0.0\x1b[0m") == coloured.npos);
}

TEST_CASE("top: without Unicode a frame is of ASCII alone") {
  frame_options how = sized(80, 24);
  how.ascii = true;
  for (const char each : plain_text(draw(sample_history().current(), how)))
    REQUIRE(static_cast<unsigned char>(each) < 0x7f);
}

TEST_CASE("top: sparklines") {
  const series values{1.0, std::nullopt, 0.0, 7.0, 3.5};
  CHECK(sparkline(values, 7, false) == "  ▂ ▁█▅");
  CHECK(sparkline(values, 3, true) == "_#=");
  CHECK(sparkline({}, 3, true) == "   ");
  CHECK(sparkline({0.0}, 1, true) == "_");
}

TEST_CASE("top: numbers in few columns") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(999.4) == "999 B");
  CHECK(bytes_text(999.5) == "1.0 kB");
  CHECK(bytes_text(9949) == "9.9 kB");
  CHECK(bytes_text(9951) == "10 kB");
  CHECK(bytes_text(999'499) == "999 kB");
  CHECK(bytes_text(1.5e15) == "1.5 PB");
  CHECK(seconds_text(0.00085) == "850 us");
  CHECK(seconds_text(0.0012) == "1.2 ms");
  CHECK(seconds_text(0.055) == "55 ms");
  CHECK(seconds_text(0.9999) == "1.0 s");
  CHECK(age_text(59) == "59 s");
  CHECK(age_text(60) == "1:00");
  CHECK(age_text(3599) == "59:59");
  CHECK(age_text(3600) == "1 h 00");
  CHECK(age_text(86'400) == "1 d 00");
}
