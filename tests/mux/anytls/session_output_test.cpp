// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

using namespace strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

namespace {

/// A list that is out: what it said when it was made, and what it says now.
struct outstanding {
  std::vector<bytes> pieces = std::vector<bytes>(64);
  byte_vector before;

  explicit outstanding(session_end& end) {
    pieces.resize(end.session.poll_output(end.now, pieces));
    before = now();
  }
  byte_vector now() const {
    byte_vector all;
    for (const bytes one : pieces) all.insert(all.end(), one.begin(), one.end());
    return all;
  }
};

}  // namespace

TEST_CASE("output: bytes are whole, however few the carrier takes at a time", "[mux][anytls]") {
  for (const std::size_t most : {1uz, 2uz, 6uz, 7uz, 8uz, 100uz, 4096uz}) {
    session_pair both;
    const std::uint32_t id = both.open_stream("address");
    std::string expected = "address";
    for (int i = 0; i < 12; ++i) {
      const std::string part(static_cast<std::size_t>(7 + 531 * i), static_cast<char>('a' + i));
      both.client.write(id, part).value();
      expected += part;
      while (session_pair::carry(both.client, both.server, most)) {}
    }
    both.server.write(id, expected).value();
    both.server.stream(id).finish(both.server.now).value();
    while (session_pair::carry(both.server, both.client, most)) {}
    CHECK(both.server.read(id) == expected);
    std::error_code end;
    CHECK(both.client.read(id, &end) == expected);
    CHECK(end == failure::eof);
    CHECK(both.client.statistics().glitches + both.server.statistics().glitches == 0);
  }
}

TEST_CASE("output: whatever is called in between, a list that is out stays as it is",
          "[mux][anytls]") {
  const auto calls = std::vector<void (*)(session_end&)>{
      [](session_end& end) { end.write(1, std::string(50'000, 'z')); },
      [](session_end& end) { end.stream(1).reset(); },
      [](session_end& end) { end.stream(1).forget(); },
      [](session_end& end) { end.stream(1).finish(end.now); },
      [](session_end& end) { end.session.control().close(end.now); },
      [](session_end& end) { end.session.control().drain(); },
      [](session_end& end) { end.receive(frame(command::fin, 1)); },
      [](session_end& end) { end.receive(frame(command::synack, 1, "error")); },
      [](session_end& end) { end.receive(frame(command::alert, 0, "alert")); },
      [](session_end& end) { end.receive(frame(command::settings, 0, "v=2")); },
      [](session_end& end) { end.receive(frame(command::heart_request, 0)); },
      [](session_end& end) { end.session.receive_end(end.now); },
      [](session_end& end) { end.session.handle_timeout(end.now += 1h); },
      [](session_end& end) { end.session.open(); },
  };
  for (std::size_t first = 0; first < calls.size(); ++first) {
    for (const auto second : calls) {
      for (const bool pads : {false, true}) {
        session_end client = pads ? client_with_stream() : client_in_bulk();
        client.write(1, std::string(30'000, 'y')).value();
        const outstanding list(client);
        REQUIRE(list.before.size() > 100);
        calls[first](client);
        if (client.closed() == nullptr && !client.write_error(1)) second(client);
        CHECK(list.now() == list.before);
        client.session.sent(list.before.size());
        client.write_all();
      }
    }
  }
}

TEST_CASE("output: a frame that has begun is ended with its own bytes", "[mux][anytls]") {
  for (const bool forgets : {false, true}) {
    session_end client = client_in_bulk();
    client.write(1, "abcdefghij").value();
    client.partial = client.write_once(7 + 3);
    forgets ? client.stream(1).forget() : client.stream(1).reset();
    const auto frames = client.frames();
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].is(command::psh, 1, "abcdefghij"));
    CHECK(frames[1].is(command::fin, 1));
    CHECK(client.statistics().streams_open == 0);
  }
}

TEST_CASE("output: of a frame that was not begun nothing is sent", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.write(1, "abcdefghij").value();
  client.write_once(0);
  client.stream(1).reset();
  CHECK(client.frames() == std::vector<seen_frame>{{command::fin, 1, ""}});
}

TEST_CASE("output: frames of the session come before those of streams, behind one that has begun",
          "[mux][anytls]") {
  session_end client = client_in_bulk({.frame_payload = 10});
  client.write(1, "aaaaaaaaaabbbbbbbbbb").value();
  client.partial = client.write_once(9);
  client.receive(frame(command::heart_request, 5));
  client.session.open().value();
  const auto frames = client.frames();
  REQUIRE(frames.size() == 4);
  CHECK(frames[0].is(command::psh, 1, "aaaaaaaaaa"));
  CHECK(frames[1].is(command::syn, 2));
  CHECK(frames[2].is(command::heart_response, 5));
  CHECK(frames[3].is(command::psh, 1, "bbbbbbbbbb"));
}

TEST_CASE("output: a short list is filled as far as it goes", "[mux][anytls]") {
  session_end client = client_in_bulk();
  const std::string text(60'000, 'x');
  client.write(1, text).value();
  byte_vector all;
  for (;;) {
    const byte_vector one = client.write_once(SIZE_MAX, 4);
    if (one.empty()) break;
    all = std::move(all) + one;
  }
  std::string got;
  for (const seen_frame& one : take_frames(all)) got += one.content;
  CHECK(got == text);
  CHECK(all.empty());
}

TEST_CASE("output: a frame and its header fill a TLS record", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.write(1, std::string(100'000, 'x')).value();
  const auto frames = client.frames();
  CHECK(frames.front().content.size() == 16384 - 7);
}

TEST_CASE("output: one list holds so many bytes and frames, not more", "[mux][anytls]") {
  session_end client = client_in_bulk({.write_watermark = 1 << 20});
  client.write(1, std::string(1 << 20, 'x')).value();
  const std::size_t most = client.write_once(SIZE_MAX, 1000).size();
  CHECK(most >= limit::max_batch_bytes);
  CHECK(most < limit::max_batch_bytes + limit::frame_payload + 7);

  session_end tiny = client_in_bulk({.frame_payload = 1});
  tiny.write(1, std::string(1000, 'x')).value();
  CHECK(tiny.write_once(SIZE_MAX, 1000).size() == 8 * limit::max_batch_frames);
}

TEST_CASE("output: the carrier taking nothing changes nothing", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.write(1, "abc").value();
  client.receive(frame(command::heart_request, 0));
  const byte_vector first = outstanding(client).before;
  client.session.sent(0);
  CHECK(outstanding(client).before == first);
  CHECK(outstanding(client).before == first);  // And nobody need call sent() either.
}

TEST_CASE("output: after the carrier was lost there is none", "[mux][anytls]") {
  for (const bool pads : {false, true}) {
    session_end client = pads ? client_with_stream() : client_in_bulk();
    client.write(1, std::string(30'000, 'y')).value();
    const outstanding list(client);
    client.session.carrier_lost(make_error_code(failure::unreachable));
    CHECK(client.write_once().empty());
    CHECK(client.session.finished());
  }
}
