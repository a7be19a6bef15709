// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

// Each limit at the limit, one below and one above, where no other file has it.

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

namespace {

std::array<std::size_t, 3> around(std::size_t limit) { return {limit - 1, limit, limit + 1}; }

byte_vector syns(std::uint32_t from, std::size_t count) {
  byte_vector made;
  for (std::size_t i = 0; i < count; ++i)
    made = std::move(made) + frame(command::syn, from + static_cast<std::uint32_t>(i));
  return made;
}

}  // namespace

TEST_CASE("limits: bytes of settings", "[mux][anytls][limits]") {
  for (const std::size_t size : around(limit::max_settings)) {
    session_end server(server_config());
    std::string said = "v=2\n";
    said.resize(size, 'x');
    server.receive(authentication_of(password) + frame(command::settings, 0, said));
    const bool fits = size <= limit::max_settings;
    CHECK((server.closed() == nullptr) == fits);
    if (fits) continue;
    CHECK(server.cause() == mux::errc::bad_settings);
    CHECK(server.frames().back().is(command::alert, 0, "settings that are too long"));
  }
}

TEST_CASE("limits: lines of settings", "[mux][anytls][limits]") {
  for (const std::size_t lines : around(limit::max_settings_lines)) {
    session_end server(server_config());
    std::string said = "v=2";
    for (std::size_t i = 1; i < lines; ++i) said += "\nk";
    server.receive(authentication_of(password) + frame(command::settings, 0, said));
    CHECK((server.closed() == nullptr) == (lines <= limit::max_settings_lines));
  }
  session_end client = client_with_stream();
  client.receive(
      frame(command::server_settings, 0, std::string(limit::max_settings_lines + 1, '\n')));
  CHECK(client.cause() == mux::errc::bad_settings);
}

TEST_CASE("limits: streams of a client", "[mux][anytls][limits]") {
  session_end client = new_client({.max_streams = 3});
  for (std::uint32_t id = 1; id <= 3; ++id) CHECK(client.session.open() == id);
  CHECK(client.session.open().error() == failure::limit_exceeded);
  CHECK(client.take(kind::streams_available) == 0);
  client.stream(2).forget();
  CHECK(client.take(kind::streams_available) == 1);
  CHECK(client.session.open() == 4u);
  CHECK(client.session.open().error() == failure::limit_exceeded);
}

TEST_CASE("limits: streams of a server", "[mux][anytls][limits]") {
  for (const std::size_t count : around(limit::max_streams)) {
    session_end server = new_server({.accept_backlog = 1000});
    server.receive(syns(1, count));
    CHECK(server.statistics().streams_open == std::min(count, limit::max_streams));
    const bool over = count > limit::max_streams;
    CHECK(server.statistics().streams_refused == over);
    const auto frames = server.frames();
    REQUIRE(frames.size() == (over ? 2 : 0));
    if (!over) continue;
    const auto id = static_cast<std::uint32_t>(count);
    CHECK(frames[0].is(command::synack, id, "too many streams"));
    CHECK(frames[1].is(command::fin, id));
  }
}

TEST_CASE("limits: a client of version 1 is told by the end of the stream alone",
          "[mux][anytls][limits]") {
  session_end server = new_server({.max_streams = 1}, "1");
  server.receive(syns(1, 2));
  CHECK(server.frames() == std::vector<seen_frame>{{command::fin, 2, ""}});
}

TEST_CASE("limits: streams that wait to be accepted", "[mux][anytls][limits]") {
  for (const std::size_t count : around(limit::accept_backlog)) {
    session_end server = new_server();
    server.receive(syns(1, count));
    CHECK(server.statistics().streams_refused == (count > limit::accept_backlog));
    if (count <= limit::accept_backlog) continue;
    server.session.accept().value();
    server.receive(syns(1000, 1));
    CHECK(server.statistics().streams_refused == 1);
  }
}

TEST_CASE("limits: bytes of an alert that are kept", "[mux][anytls][limits]") {
  for (const std::size_t size : around(limit::max_alert)) {
    session_end client = client_in_bulk();
    client.receive(frame(command::alert, 0, std::string(size, 'a')));
    CHECK(client.session.control().alert().size() == std::min(size, limit::max_alert));
    session_end server = new_server();
    server.session.control().reject(server.now, std::string(size, 'a'));
    CHECK(server.frames().at(0).content.size() == std::min(size, limit::max_alert));
  }
}

TEST_CASE("limits: bytes of a refusal that are kept, and sent", "[mux][anytls][limits]") {
  for (const std::size_t size : around(limit::max_refusal)) {
    session_end client = client_in_bulk();
    client.receive(frame(command::synack, 1, std::string(size, 'r')));
    CHECK(client.stream(1).refusal().size() == std::min(size, limit::max_refusal));
    session_end server = server_with_stream();
    server.stream(1).refuse(std::string(size, 'r'));
    CHECK(server.frames().at(0).content.size() == std::min(size, limit::max_refusal));
  }
}

TEST_CASE("limits: bytes of a pushed scheme", "[mux][anytls][limits]") {
  for (const std::size_t size : around(limit::max_padding_text)) {
    session_end client = client_in_bulk();
    std::string scheme = "stop=2\n";
    scheme.resize(size, 'x');
    client.receive(frame(command::update_padding_scheme, 0, scheme));
    const bool fits = size <= limit::max_padding_text;
    CHECK(client.take(kind::padding_scheme) == fits);
    CHECK(client.statistics().glitches == !fits);
    CHECK(client.closed() == nullptr);
  }
}

TEST_CASE("limits: frames that serve nobody", "[mux][anytls][limits]") {
  for (const std::size_t count : around(limit::glitch_burst)) {
    session_end server = new_server();
    byte_vector noise;
    for (std::size_t i = 0; i < count; ++i) noise = std::move(noise) + frame(command::waste, 0);
    server.receive(noise);
    const bool fits = count <= limit::glitch_burst;
    CHECK((server.closed() == nullptr) == fits);
    if (!fits) CHECK(server.cause() == mux::errc::flood);
    if (!fits) CHECK(server.frames().back().command == command::alert);
  }
}

TEST_CASE("limits: noise is forgiven with time", "[mux][anytls][limits]") {
  session_end server = new_server();
  byte_vector noise;
  for (std::size_t i = 0; i < limit::glitches_per_second; ++i)
    noise = std::move(noise) + frame(command::waste, 0);
  for (int second = 0; second < 100; ++second) {
    server.receive(noise);
    server.now += 1s;
  }
  CHECK(server.closed() == nullptr);
}

TEST_CASE("limits: answers that wait for a peer that does not read", "[mux][anytls][limits]") {
  session_end server = new_server({.accept_backlog = 0});
  std::uint32_t id = 1;
  // Each refused stream has an answer of 30 bytes; work is done in between, to pay for it.
  while (server.session.wants_input() && id < 100'000) {
    server.receive(frame(command::syn, id++));
    server.now += 100ms;
  }
  CHECK(id < 100'000);
  CHECK(server.closed() == nullptr);
  const std::size_t held = server.write_once(SIZE_MAX, 1000).size();
  CHECK(held >= limit::max_control);
  CHECK(held < limit::max_control + 30);
  CHECK(server.session.wants_input());
}

TEST_CASE("limits: configurations that make no sense are moved to what does",
          "[mux][anytls][limits]") {
  session_end client = client_in_bulk({.version = 77,
                                       .max_streams = 0,
                                       .max_unread = 100,
                                       .max_session_unread = 0,
                                       .frame_payload = 0,
                                       .write_watermark = 0});
  CHECK(client.session.control().version() == 2);
  CHECK(client.write(1, std::string(100'000, 'x')) == limit::min_watermark);
  CHECK(client.frames().at(0).content.size() == 1);
  client.receive(frame(command::psh, 1, std::string(100, 'x')));
  CHECK(client.session.wants_input());

  session_end large = client_in_bulk({.frame_payload = 1'000'000, .write_watermark = 200'000});
  large.write(1, std::string(200'000, 'x')).value();
  CHECK(large.frames().at(0).content.size() == 65535);
}
