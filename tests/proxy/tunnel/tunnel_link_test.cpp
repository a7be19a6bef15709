// SPDX-License-Identifier: Apache-2.0
#include "core/tunnel/tunnel_link.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <vector>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
namespace core = strata::proxy::core;
namespace limits = strata::proxy::core::limits;
using namespace std::chrono_literals;
using core::tunnel_link;
using core::tunnel_mode;
using transport::as_bytes;
using transport::errc;
using transport::target;
using transport::websocket_kind;
using event = core::tunnel_link::event;

namespace {

/// A link, and who talks to it in messages.
class talk {
 public:
  explicit talk(std::optional<target> where = std::nullopt, std::size_t watermark = 0)
      : random_(7), link(config_of(where, watermark), random_), peer_(peer_config(where), random_) {
    link.begin(now);
  }

  void peer_says(websocket_kind kind, std::string_view text) {
    const transport::bytes piece = as_bytes(text);
    REQUIRE(peer_.send(kind, {&piece, 1}, true) == text.size());
  }
  void peer_closes() { REQUIRE(peer_.finish(now)); }
  /// All that each side has to say, in pieces of `step` bytes.
  void pass(std::size_t step = 1 << 20) {
    for (bool moved = true; moved;) {
      moved = carry(peer_, link, step);
      moved = carry(link, peer_, step) || moved;
      note_events();
    }
  }
  /// Messages that came: "t:..." and "b:...".
  std::vector<std::string> heard() {
    std::vector<std::string> out;
    std::array<std::byte, 4096> room;
    std::string text;
    while (const auto part = peer_.read_message(room)) {
      text += transport::as_text(transport::bytes(room).first(part->size));
      if (!part->end) continue;
      out.push_back((part->kind == websocket_kind::text ? "t:" : "b:") + text);
      text.clear();
    }
    return out;
  }
  /// What the peer reads behind all messages.
  std::error_code peer_end() {
    heard();
    const auto next = peer_.read_message({});
    return next ? std::error_code() : next.error();
  }
  std::uint16_t close_code() { return peer_.closed() ? peer_.closed()->code : 0; }
  std::string read(std::size_t room = 1024) {
    std::string out(room, '\0');
    const transport::mutable_bytes piece(reinterpret_cast<std::byte*>(out.data()), out.size());
    const auto size = link.read({&piece, 1});
    read_error = size ? std::error_code() : size.error();
    out.resize(size.value_or(0));
    return out;
  }
  transport::result<std::size_t> write(std::string_view text) {
    const transport::bytes piece = as_bytes(text);
    return link.write({&piece, 1});
  }
  bool saw(event which) const { return std::ranges::find(events, which) != events.end(); }

  transport::time_point now{};
  std::vector<event> events;
  std::error_code read_error;

 private:
  static core::tunnel_link_config config_of(const std::optional<target>& where,
                                            std::size_t watermark) {
    core::tunnel_link_config made;
    made.opening_timeout = 10s;
    made.where = where;
    if (watermark != 0) made.websocket.watermark = watermark;
    return made;
  }
  static transport::websocket_config peer_config(const std::optional<target>& where) {
    transport::websocket_config made;
    made.role = where ? transport::websocket_role::server : transport::websocket_role::client;
    made.mode = transport::websocket_mode::messages;
    return made;
  }
  template <class From, class To>
  bool carry(From& from, To& to, std::size_t step) {
    std::array<transport::bytes, 16> pieces;
    const std::size_t count = from.poll_output(now, pieces);
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += transport::as_text(pieces[i]);
    if (all.empty()) return false;
    from.sent(all.size());
    for (std::size_t i = 0; i < all.size(); i += step) {
      to.receive(now, as_bytes(std::string_view(all).substr(i, step)));
      note_events();
      to.release_input();
    }
    return true;
  }
  void note_events() {
    event one;
    while (link.poll_event(one)) events.push_back(one);
    transport::websocket_event other;
    while (peer_.poll_event(other)) {}
  }

  testkit::fake_random random_;

 public:
  tunnel_link link;

 private:
  transport::websocket_connection peer_;
};

constexpr auto text = websocket_kind::text;
constexpr auto binary = websocket_kind::binary;

}  // namespace

TEST_CASE("tunnel link: a server finds yamux by its first byte and hands all bytes on",
          "[proxy][tunnel]") {
  for (const std::size_t step : {std::size_t{1}, std::size_t{1} << 20}) {
    talk with;
    const std::string first("\0\2\0\1", 4);
    with.peer_says(binary, first);
    with.peer_says(binary, "more");
    with.pass(step);
    REQUIRE(with.saw(event::ready));
    CHECK(with.link.mode() == tunnel_mode::yamux);
    CHECK_FALSE(with.link.wanted());
    CHECK(with.link.ahead() == std::error_code());
    CHECK(with.read() == first + "more");
    CHECK(with.link.ahead() == std::nullopt);
    REQUIRE(with.write("answer") == 6);
    with.pass(step);
    CHECK(with.heard() == std::vector<std::string>{"b:answer"});
  }
}

TEST_CASE("tunnel link: a server is asked in simple mode and answers", "[proxy][tunnel]") {
  for (const std::size_t step : {std::size_t{1}, std::size_t{1} << 20}) {
    talk with;
    with.peer_says(text, "CONNECT:a.test:80|first ");
    with.pass(step);
    REQUIRE(with.saw(event::ready));
    CHECK(with.link.mode() == tunnel_mode::simple);
    CHECK(with.link.wanted() == target("a.test", 80));
    CHECK(with.read().empty());
    CHECK(with.read_error == errc::would_block);
    with.link.accept();
    with.peer_says(binary, "second");
    with.pass(step);
    CHECK(with.read() == "first second");
    CHECK(with.heard() == std::vector<std::string>{"t:CONNECTED"});
  }
  talk with;
  with.peer_says(text, "CONNECT:a.test:80|");
  with.pass();
  with.link.refuse("no such host");
  with.pass();
  CHECK(with.heard() == std::vector<std::string>{"t:ERROR:no such host"});
  CHECK(with.peer_end() == errc::eof);
  CHECK(with.link.ahead() == errc::closed);
}

TEST_CASE("tunnel link: a client asks and waits for the answer", "[proxy][tunnel]") {
  talk with(target("a.test", 80));
  with.pass();
  CHECK(with.heard() == std::vector<std::string>{"t:CONNECT:a.test:80|"});
  CHECK_FALSE(with.saw(event::ready));
  CHECK(with.write("early").error() == errc::would_block);
  std::error_code expected;
  SECTION("connected") {
    with.peer_says(text, "CONNECTED");
    with.peer_says(binary, "bytes");
    with.pass(1);
    CHECK(with.saw(event::ready));
    CHECK(with.read() == "bytes");
    return;
  }
  SECTION("refused") {
    with.peer_says(text, "ERROR:refused by x");
    with.pass();
    CHECK(with.link.reason() == "refused by x");
    expected = proxy::errc::upstream_failed;
  }
  SECTION("bytes before the answer") {
    with.peer_says(binary, "CONNECTED");
    with.pass();
    expected = errc::protocol_error;
  }
  SECTION("another word") {
    with.peer_says(text, "connected");
    with.pass();
    expected = errc::protocol_error;
  }
  SECTION("the end") {
    with.peer_closes();
    with.pass();
    expected = errc::truncated;
  }
  SECTION("silence") {
    CHECK(with.link.next_timeout() == with.now + 10s);
    with.now += 10s;
    with.link.handle_timeout(with.now);
    with.pass();
    expected = errc::timed_out;
  }
  CHECK(with.saw(event::failed));
  CHECK(with.link.failure() == expected);
}

TEST_CASE("tunnel link: words count in text messages alone", "[proxy][tunnel]") {
  talk with(target("a.test", 80));
  with.peer_says(text, "CONNECTED");
  for (const char* word : {"CLOSE", "ERROR:x", "CONNECTED"}) with.peer_says(binary, word);
  with.pass();
  CHECK(with.read() == "CLOSEERROR:xCONNECTED");
  CHECK(with.read().empty());
  CHECK(with.read_error == errc::would_block);
  SECTION("the end") {
    with.peer_says(binary, "last");
    with.peer_says(text, "CLOSE");
    with.pass();
    CHECK(with.link.ahead() == std::error_code());
    CHECK(with.read(4) == "last");
    CHECK(with.link.ahead() == make_error_code(errc::eof));
    CHECK(with.read().empty());
    CHECK(with.read_error == errc::eof);
    CHECK(with.write("x").error() == errc::write_stopped);
    CHECK(with.link.finish().error() == errc::write_stopped);
    with.pass();
    CHECK(with.close_code() == 1000);
  }
  SECTION("nonsense") {
    with.peer_says(text, "nonsense");
    with.pass();
    CHECK(with.read().empty());
    CHECK(with.read_error == errc::protocol_error);
    with.pass();
    CHECK(with.close_code() == 1003);
  }
}

TEST_CASE("tunnel link: a server's end is a word and a Close, a client's waits",
          "[proxy][tunnel]") {
  talk server;
  server.peer_says(text, "CONNECT:a.test:80|");
  server.pass();
  server.link.accept();
  REQUIRE(server.write("bye") == 3);
  REQUIRE(server.link.finish());
  server.pass();
  CHECK(server.heard() == std::vector<std::string>{"t:CONNECTED", "b:bye", "t:CLOSE"});
  CHECK(server.peer_end() == errc::eof);

  talk client(target("a.test", 80));
  client.peer_says(text, "CONNECTED");
  client.pass();
  REQUIRE(client.link.finish());
  client.peer_says(binary, "answer");
  client.pass();
  CHECK(client.peer_end() == errc::would_block);
  CHECK(client.read() == "answer");
  client.peer_closes();
  client.pass();
  CHECK(client.read().empty());
  CHECK(client.read_error == errc::eof);
}

TEST_CASE("tunnel link: what had no room is said in order", "[proxy][tunnel]") {
  talk with(std::nullopt, 32);
  with.peer_says(text, "CONNECT:a.test:80|");
  with.pass();
  with.link.accept();
  const std::string much(100, 'm');
  const auto taken = with.write(much);
  REQUIRE(taken);
  REQUIRE(*taken < much.size());
  CHECK(with.write("x").error() == errc::would_block);
  SECTION("the end of the message, which peers wait for") {
    with.pass();
    CHECK(with.heard() == std::vector<std::string>{"t:CONNECTED", "b:" + much.substr(0, *taken)});
    CHECK(with.saw(event::writable));
  }
  SECTION("and all that follows it") {
    REQUIRE(with.link.finish());
    with.pass();
    CHECK(with.heard() ==
          std::vector<std::string>{"t:CONNECTED", "b:" + much.substr(0, *taken), "t:CLOSE"});
    CHECK(with.peer_end() == errc::eof);
  }
}

TEST_CASE("tunnel link: no frame is without bytes, however short the writes are",
          "[proxy][tunnel]") {
  talk with(std::nullopt, 1000);
  with.peer_says(text, "CONNECT:a.test:80|");
  with.pass();
  with.link.accept();
  with.pass();
  const std::string much(1500, 'm');
  std::size_t sent = 0, came = 0;
  // More often than a peer suffers frames that carry nothing.
  for (std::size_t i = 0; i < 2 * transport::limits::websocket_glitch_burst; ++i) {
    const auto taken = with.write(much);
    REQUIRE(taken);
    REQUIRE(*taken < much.size());
    sent += *taken;
    with.pass();
    for (const std::string& each : with.heard())
      if (each.starts_with("b:")) came += each.size() - 2;
  }
  CHECK(came == sent);
  CHECK(with.close_code() == 0);
}

TEST_CASE("tunnel link: one message is one frame", "[proxy][tunnel]") {
  talk with(std::nullopt, 200'000);
  with.peer_says(text, "CONNECT:a.test:80|");
  with.pass();
  with.link.accept();
  with.pass();
  const auto taken = with.write(std::string(100'000, 'm'));
  CHECK(taken == limits::max_tunnel_message);
  std::array<transport::bytes, 16> pieces;
  const std::size_t count = with.link.poll_output(with.now, pieces);
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += pieces[i].size();
  CHECK(size == 4 + limits::max_tunnel_message);
}

TEST_CASE("tunnel link: a first message of neither mode is refused", "[proxy][tunnel]") {
  talk with;
  SECTION("another version of yamux") { with.peer_says(binary, "\1"); }
  SECTION("no CONNECT") { with.peer_says(text, "HELLO"); }
  SECTION("a CONNECT to nowhere") { with.peer_says(text, "CONNECT:nowhere|"); }
  with.pass();
  CHECK(with.saw(event::failed));
  CHECK(with.link.failure() == errc::protocol_error);
  CHECK_FALSE(with.saw(event::ready));
}

TEST_CASE("tunnel link: text is bounded", "[proxy][tunnel][limits]") {
  const std::string head = "CONNECT:a.test:80|";
  for (const int above : {-1, 0, 1}) {
    talk with;
    const std::size_t size = limits::max_tunnel_text + static_cast<std::size_t>(above);
    with.peer_says(text, head + std::string(size - head.size(), 'x'));
    with.pass();
    CHECK(with.saw(event::ready) == (above <= 0));
    if (above > 0) CHECK(with.link.failure() == errc::limit_exceeded);
  }
}

TEST_CASE("tunnel link: a peer that goes before its request is answered", "[proxy][tunnel]") {
  talk with;
  with.peer_says(text, "CONNECT:a.test:80|");
  with.pass();
  with.link.carrier_lost(make_error_code(errc::closed_by_peer));
  with.pass();
  CHECK(with.saw(event::closed));
  with.link.accept();
  CHECK(with.read().empty());
  CHECK(with.read_error == errc::closed_by_peer);
  CHECK_FALSE(with.write("x"));
}
