// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"
#include "strata/mux/core/anytls_pool.hpp"

// The attacks of tests/hostile/catalogue.md on anytls.

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

namespace {

byte_vector repeat(const byte_vector& one, std::size_t count) {
  byte_vector made;
  made.reserve(count * one.size());
  for (std::size_t i = 0; i < count; ++i) made.insert(made.end(), one.begin(), one.end());
  return made;
}

/// Feeds a flood as a driver would: a piece at a time, and nothing while input is not wanted or the
/// session is over. How many bytes were taken.
std::size_t feed(session_end& end, const byte_vector& flood, std::size_t piece = 4096) {
  std::size_t at = 0;
  while (at != flood.size() && end.session.wants_input()) {
    const std::size_t size = std::min(piece, flood.size() - at);
    end.session.receive(end.now, bytes(flood).subspan(at, size));
    end.session.release_input();
    at += size;
  }
  return at;
}

/// The server's session is over for `cause`, and it says so, last of all.
void check_alert(session_end& server, mux::errc cause) {
  CHECK(server.cause() == cause);
  CHECK(server.cause() == strata::transport::condition::protocol_error);
  CHECK(server.take(kind::closed) == 1);
  const auto sent = server.frames();
  REQUIRE_FALSE(sent.empty());
  CHECK(sent.back().command == command::alert);
  CHECK_FALSE(sent.back().content.empty());
  CHECK(server.session.finished());
}

std::optional<anytls_padding_scheme> scheme_of(std::string_view text) {
  auto made = anytls_padding_scheme::parse(strata::transport::as_bytes(text));
  return made ? std::optional(*made) : std::nullopt;
}

/// A server pushes the scheme: false, and the client goes on, when it is not used.
bool client_takes(std::string_view scheme) {
  session_end client = client_in_bulk();
  client.receive(frame(command::update_padding_scheme, 0, scheme));
  CHECK(client.closed() == nullptr);
  CHECK_FALSE(client.write_error(1));
  return client.take(kind::padding_scheme) == 1;
}

}  // namespace

TEST_CASE("anytls: data where a command has none, of no bytes, one and the most",
          "[attack][A01][mux]") {
  for (unsigned which = 0; which < 256; ++which) {
    for (const std::size_t size : {0uz, 1uz, 65535uz}) {
      const auto code = static_cast<std::uint8_t>(which);
      const auto one = static_cast<command>(which);
      // Those with data of a meaning of their own, and those that end the session, are elsewhere.
      const bool plain = one == command::fin || one == command::heart_request ||
                         one == command::heart_response || which > 10;
      if (!plain) continue;
      session_end client = client_in_bulk();
      // A frame of the same command could be in the data: it must not be taken for one.
      client.receive(frame(code, 77, std::string(size, '\x03')) + frame(command::psh, 1, "next"));
      CHECK(client.closed() == nullptr);
      CHECK(client.read(1) == "next");
      session_end server = server_with_stream();
      server.receive(frame(code, 77, std::string(size, '\x03')) + frame(command::psh, 1, "next"));
      CHECK(server.closed() == nullptr);
      CHECK(server.read(1) == "next");
    }
  }
  session_end server = new_server();
  server.receive(frame(command::syn, 1, std::string(65535, '\x01')) + frame(command::psh, 1, "x"));
  CHECK(server.session.accept() == 1u);
  CHECK(server.read(1) == "x");
}

TEST_CASE("anytls: a stream that nobody reads does not stop the others, nor the heartbeat",
          "[attack][A02][mux]") {
  session_pair both;
  const auto slow = both.open_stream();
  const auto fast = both.open_stream();
  both.server.read(fast);
  std::string got;
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    both.client.write(slow, std::string(20'000, 's'));
    const std::string part(1000, static_cast<char>('a' + i % 26));
    both.client.write(fast, part).value();
    expected += part;
    both.settle();
    got += both.server.read(fast);
    CHECK(both.server.session.wants_input());
    CHECK(both.server.statistics().unread <= limit::max_unread);
  }
  CHECK(got == expected);
  CHECK(both.server.statistics().streams_overrun == 1);
  CHECK(both.client.write_error(slow) == failure::write_stopped);
  both.pass(limit::heartbeat_interval + 1s);
  CHECK(both.server.statistics().heartbeats_answered > 0);
  CHECK(both.client.closed() == nullptr);
}

TEST_CASE("anytls: streams opened without end", "[attack][A03][mux]") {
  for (const bool accepts : {false, true}) {
    session_end server = new_server();
    for (std::uint32_t id = 1; id < 100'000 && server.closed() == nullptr; ++id) {
      server.receive(frame(command::syn, id));
      if (accepts) server.session.accept();
      if (id % 100 == 0) server.write_once(SIZE_MAX, 1000);
      REQUIRE(server.statistics().streams_open <= limit::max_streams);
    }
    CHECK(server.statistics().streams_refused >= limit::glitch_burst);
    check_alert(server, mux::errc::flood);
  }
  // Ended as soon as opened.
  session_end server = new_server();
  byte_vector flood;
  for (std::uint32_t id = 1; id < 10'000; ++id)
    flood = std::move(flood) + frame(command::syn, id) + frame(command::fin, id);
  feed(server, flood);
  check_alert(server, mux::errc::flood);
}

TEST_CASE("anytls: a password in crumbs, or none at all", "[attack][A04][mux]") {
  session_end crumbs(server_config());
  for (const std::byte one : authentication_of(password)) {
    crumbs.receive({one});
    crumbs.pass(70ms);
  }
  CHECK(crumbs.take(kind::authenticated) == 1);

  session_end slow(server_config());
  for (const std::byte one : authentication_of(password)) {
    slow.receive({one});
    slow.pass(100ms);
  }
  CHECK(slow.cause() == mux::errc::authentication_failed);
  CHECK(slow.session.finished());
}

TEST_CASE("anytls: a wrong password looks like what a web server gets", "[attack][A05][mux]") {
  const byte_vector probe = authentication_of("guess") + settings_of("2");
  session_end server(server_config({.fallback = true}));
  server.receive(probe);
  CHECK(server.take(kind::fallback) == 1);  // At once: the answer is the web server's, in its time.
  CHECK(text_of(server.session.control().rejected()) == text_of(probe));
  CHECK(server.write_once().empty());
  // Without a web server there is nothing to see, and the end comes when it comes to everybody.
  session_end bare(server_config());
  bare.receive(probe);
  session_end silent(server_config());
  silent.write_once();
  CHECK(bare.session.next_timeout() == silent.session.next_timeout());
  CHECK(bare.session.wants_input() == silent.session.wants_input());
}

TEST_CASE("anytls: passwords are compared whole, with every user", "[attack][A06][mux]") {
  // How long it takes is for transport's test of the comparison; here: no prefix is told apart
  // before the last byte has come, whether it is that of a user or of nobody.
  const byte_vector right = authentication_of(password);
  const byte_vector wrong = authentication_of("guess");
  session_end known(server_config({.fallback = true}));
  session_end unknown(server_config({.fallback = true}));
  for (std::size_t i = 0; i < 31; ++i) {
    known.receive({right[i]});
    unknown.receive({wrong[i]});
    CHECK(known.has_no_events());
    CHECK(unknown.has_no_events());
    CHECK(known.session.next_timeout() == unknown.session.next_timeout());
  }
  unknown.receive({wrong[31]});
  CHECK(unknown.take(kind::fallback) == 1);
}

TEST_CASE("anytls: padding that is announced and does not come", "[attack][A07][mux]") {
  session_end server(server_config());
  const byte_vector whole = authentication_of(password, 65535);
  server.receive(byte_vector(whole.begin(), whole.end() - 1));
  CHECK(server.take(kind::authenticated) == 0);
  server.pass(limit::authentication_timeout);
  CHECK(server.cause() == mux::errc::authentication_failed);
  session_end patient(server_config());
  patient.receive(whole);
  CHECK(patient.take(kind::authenticated) == 1);
}

TEST_CASE("anytls: a scheme pushed by one server is not used with another", "[attack][A08][mux]") {
  anytls_pool one{{}};
  anytls_pool other{{}};
  session_end client = client_in_bulk();
  client.receive(frame(command::update_padding_scheme, 0, "stop=2\n1=7-7"));
  REQUIRE(client.take(kind::padding_scheme) == 1);
  one.update_padding(*client.session.control().pushed_padding());
  CHECK(one.padding().stop() == 2);
  CHECK(other.padding() == anytls_padding_scheme::standard());
  CHECK(anytls_padding_scheme::standard().stop() == 8);
  CHECK(new_client().session.control().pushed_padding() == std::nullopt);
}

TEST_CASE("anytls: schemes that pad for ever", "[attack][A09][mux]") {
  CHECK_FALSE(client_takes("stop=-1\n1=500-1000"));
  CHECK_FALSE(client_takes("stop=4294967295"));
  CHECK_FALSE(client_takes("stop=65"));
  CHECK_FALSE(client_takes("stop=0"));
  CHECK_FALSE(client_takes("stop=99999999999999999999"));
  CHECK(client_takes("stop=64"));
  CHECK(client_takes("stop=1"));
}

TEST_CASE("anytls: schemes of records beyond all size", "[attack][A10][mux]") {
  CHECK_FALSE(client_takes("stop=2\n1=1-9223372036854775807"));
  CHECK_FALSE(client_takes("stop=2\n1=65529-65529"));
  CHECK_FALSE(client_takes("stop=2\n1=65536-65536"));
  CHECK_FALSE(client_takes("stop=2\n1=16385-16385"));
  CHECK_FALSE(client_takes("stop=2\n1=1-99999999999999999999999"));
  CHECK(client_takes("stop=2\n1=16384-16384"));
  // The largest there is, as one record, of which the length is right.
  session_end client = new_client({.padding = scheme_of("stop=2\n1=100-100,16384-16384").value()});
  client.session.open().value();
  client.write(1, "address").value();
  client.partial = client.write_once();
  const byte_vector record = client.write_once();
  CHECK(record.size() == 16384 + 7);
  client.partial = std::move(client.partial) + record;
  const auto seen = take_frames(client.partial);
  CHECK(client.partial.empty());
  CHECK(seen.back().is(command::waste, 0, std::string(16384, '\0')));
}

TEST_CASE("anytls: schemes of nothing but commas", "[attack][A11][mux]") {
  CHECK_FALSE(client_takes("stop=2\n1=" + std::string(65000, ',')));
  CHECK_FALSE(client_takes("stop=2\n1=" + std::string(4000, ',')));
  CHECK_FALSE(client_takes("stop=2\n1=" + std::string(33, ',')));
  CHECK_FALSE(client_takes(std::string(4000, '\n')));
  // Schemes without end, each as good as the last, are noise.
  session_end client = client_in_bulk();
  feed(client, repeat(frame(command::update_padding_scheme, 0, "stop=2"), 10'000));
  CHECK(client.cause() == mux::errc::flood);
}

TEST_CASE("anytls: an answer to one stream is none to another", "[attack][A12][mux]") {
  session_end client = client_in_bulk();
  client.session.open().value();
  client.write(2, "address").value();
  client.frames();
  // For the first, for nobody, for the session: the second still waits.
  client.receive(frame(command::synack, 1) + frame(command::synack, 99) +
                 frame(command::synack, 0));
  CHECK(client.take(kind::acknowledged, 2) == 0);
  client.receive(frame(command::synack, 99, "error") + frame(command::synack, 0, "error"));
  CHECK_FALSE(client.stream(1).failure());
  client.pass(limit::synack_timeout);
  CHECK(client.stream(2).failure() == failure::timed_out);
  CHECK_FALSE(client.stream(1).failure());
  CHECK(client.statistics().glitches == 5);
}

TEST_CASE("anytls: commands of the other end", "[attack][A13][mux]") {
  for (const command one : {command::synack, command::server_settings,
                            command::update_padding_scheme, command::alert}) {
    for (const std::string_view content : {"", "x"}) {
      session_end server = server_with_stream();
      server.receive(frame(one, 1, content));
      check_alert(server, mux::errc::bad_command);
    }
  }
  for (const command one : {command::syn, command::settings}) {
    session_end client = client_in_bulk();
    client.receive(frame(one, 2, "v=2"));
    CHECK(client.cause() == mux::errc::bad_command);
    CHECK(client.frames().empty());  // A client has no words for it.
    CHECK(client.session.finished());
  }
  // A server of version 1 does not know the commands of version 2, and goes on.
  session_end old = server_with_stream({.version = 1});
  old.receive(frame(command::synack, 1) + frame(command::heart_request, 0) +
              frame(command::psh, 1, "next"));
  CHECK(old.read(1) == "next");
  CHECK(old.frames().empty());
}

TEST_CASE("anytls: a stream before the settings", "[attack][A13][mux]") {
  session_end server(server_config());
  server.receive(authentication_of(password) + frame(command::syn, 1));
  CHECK(server.cause() == mux::errc::settings_missing);
  CHECK(server.frames() ==
        std::vector<seen_frame>{{command::alert, 0, "client did not send its settings"}});
  CHECK(server.session.finished());
}

TEST_CASE("anytls: settings without sense or end", "[attack][A14][mux]") {
  std::string keys;
  for (int i = 0; i < 10'000; ++i) keys += "k" + std::to_string(i) + "=v\n";
  session_end many(server_config());
  many.receive(authentication_of(password) + frame(command::settings, 0, keys.substr(0, 65535)));
  check_alert(many, mux::errc::bad_settings);
  session_end short_many(server_config());
  short_many.receive(authentication_of(password) +
                     frame(command::settings, 0, keys.substr(0, 4000)));
  check_alert(short_many, mux::errc::bad_settings);

  for (const std::string_view said : {"", "no mark", "client=x", "v", "v=", "=", "\n\n\n"}) {
    session_end server(server_config());
    server.receive(authentication_of(password) + frame(command::settings, 0, said) +
                   frame(command::syn, 1));
    CHECK(server.session.control().version() == 1);
    CHECK(server.session.accept() == 1u);
  }
  session_end future(server_config());
  future.receive(authentication_of(password) + frame(command::settings, 0, "v=999999999999"));
  CHECK(future.session.control().version() == 2);

  session_end again = new_server();
  feed(again, repeat(settings_of("1"), 10'000));
  CHECK(again.session.control().version() == 2);
  check_alert(again, mux::errc::flood);
}

TEST_CASE("anytls: heartbeats by the hundred thousand, with nobody to read the answers",
          "[attack][A15][mux]") {
  session_end server = server_with_stream();
  feed(server, repeat(frame(command::heart_request, 0), 900));
  CHECK(server.frames() == std::vector<seen_frame>{{command::heart_response, 0, ""}});
  feed(server, repeat(frame(command::heart_request, 0), 100'000));
  CHECK(server.statistics().frames_received < 3000);
  check_alert(server, mux::errc::flood);
}

TEST_CASE("anytls: a session is not used again after an error or with a half-closed stream",
          "[attack][A16][mux]") {
  // Half closed: the opener has finished, the server has not. The session is still busy ...
  session_pair both;
  const auto id = both.open_stream();
  both.client.stream(id).finish(both.client.now).value();
  both.settle();
  CHECK(both.client.statistics().streams_open == 1);
  // ... until the server's end is there, and everything of it is read.
  both.server.write(id, "answer").value();
  both.server.stream(id).finish(both.server.now).value();
  both.settle();
  CHECK(both.client.statistics().streams_open == 1);
  CHECK(both.client.read(id) == "answer");
  CHECK(both.client.statistics().streams_open == 0);
  // The next stream is another one to both, whatever still comes for the first.
  const auto next = both.client.session.open().value();
  CHECK(next != id);
  both.client.write(next, "second").value();
  both.settle();
  CHECK(both.server.session.accept() == next);
  CHECK(both.server.read(next) == "second");
  both.client.receive(frame(command::psh, id, "stale") + frame(command::fin, id));
  CHECK(both.client.closed() == nullptr);
  CHECK_FALSE(both.client.write_error(next));

  // After an error of the session the pool does not have it any more.
  anytls_pool pool{{}};
  const auto chosen = pool.acquire(both.client.now);
  pool.came_alive(chosen.session);
  both.client.receive(frame(command::alert, 0, "go away"));
  REQUIRE(both.client.closed() != nullptr);
  CHECK(both.client.session.open().error() == mux::errc::peer_alert);
  pool.lost(both.client.now, chosen.session);
  pool.release(both.client.now, chosen.session);
  CHECK(pool.acquire(both.client.now).session != chosen.session);
}

TEST_CASE("anytls: numbers of streams used twice, going down, or zero", "[attack][A16][mux]") {
  session_end server = server_with_stream();
  server.receive(frame(command::psh, 1, "one") + frame(command::syn, 1) +
                 frame(command::psh, 1, "two"));
  CHECK(server.read(1) == "onetwo");  // The stream goes on.
  CHECK_FALSE(server.session.accept());
  server.receive(frame(command::fin, 1));
  server.stream(1).forget();
  server.frames();
  server.receive(frame(command::syn, 1));
  CHECK_FALSE(server.session.accept());
  CHECK(server.frames().back().is(command::fin, 1));
  session_end zero = new_server();
  zero.receive(frame(command::syn, 0));
  check_alert(zero, mux::errc::bad_stream_id);
}

TEST_CASE("anytls: frames of streams that were never opened", "[attack][A15][mux]") {
  for (const command one : {command::psh, command::fin}) {
    session_end server = server_with_stream();
    feed(server, repeat(frame(one, 1000, one == command::psh ? "x" : ""), 100'000));
    check_alert(server, mux::errc::flood);
    session_end client = client_in_bulk();
    feed(client, repeat(frame(one, 1000, one == command::psh ? "x" : ""), 100'000));
    CHECK(client.cause() == mux::errc::flood);
  }
}
