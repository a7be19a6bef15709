// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mux/yamux/frames.hpp"
#include "strata/mux/core/yamux_session.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/fake_random.hpp"

namespace strata::mux::core::testing {

using namespace std::chrono_literals;
namespace limit = limits::yamux;

/// One session with what a driver does around it, at a time that the test sets. The peer is another
/// one of these, or frames by hand.
struct session_end {
  std::unique_ptr<testkit::fake_random> random;  ///< Where it is when the rest is moved.
  yamux_session session;
  time_point now{1000s};
  std::vector<event> events;
  byte_vector partial;  ///< Sent, and less than a frame.

  explicit session_end(yamux_config config = {}, std::uint64_t seed = 1)
      : random(std::make_unique<testkit::fake_random>(seed)), session(config, *random) {}
  explicit session_end(role which, std::uint64_t seed = 1)
      : session_end(yamux_config{.role = which}, seed) {}

  void receive(const byte_vector& input) {
    session.receive(now, input);
    session.release_input();
  }
  /// What one gathered write would take, of which the carrier takes at most `most`.
  byte_vector write_once(std::size_t most = SIZE_MAX, std::size_t pieces = 64) {
    std::vector<bytes> list(pieces);
    const std::size_t count = session.poll_output(now, list);
    byte_vector out;
    for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), list[i].begin(), list[i].end());
    out.resize(std::min(out.size(), most));
    session.sent(out.size());
    return out;
  }
  /// All that it has to say now.
  byte_vector write_all() {
    byte_vector out;
    for (;;) {
      const byte_vector one = write_once();
      if (one.empty()) return out;
      out = out + one;
    }
  }
  std::vector<seen_frame> frames() {
    partial = partial + write_all();
    return take_frames(partial);
  }

  void poll() {
    for (event one; session.poll_event(one);) events.push_back(one);
  }
  /// How many of these have come; they are forgotten.
  std::size_t take(event_kind kind, std::uint32_t id = 0) {
    poll();
    return std::erase_if(events,
                         [&](const event& one) { return one.kind == kind && one.stream == id; });
  }
  std::uint64_t value_of(event_kind kind, std::uint32_t id = 0) {
    poll();
    for (const event& one : events)
      if (one.kind == kind && one.stream == id) return one.value;
    return UINT64_MAX;
  }

  yamux_stream_view stream(std::uint32_t id) { return session.stream(id); }
  result<std::size_t> write(std::uint32_t id, std::string_view text) {
    const bytes piece = transport::as_bytes(text);
    return stream(id).write({&piece, 1});
  }
  result<std::size_t> lend(std::uint32_t id, std::string_view text) {
    const bytes piece = transport::as_bytes(text);
    return stream(id).lend({&piece, 1});
  }
  /// All that can be read, and what reading ended with.
  std::string read(std::uint32_t id, std::error_code* end = nullptr) {
    std::string all;
    std::array<std::byte, 4096> memory;
    const mutable_bytes piece = memory;
    for (;;) {
      const auto size = stream(id).read({&piece, 1});
      if (!size) {
        if (end != nullptr) *end = size.error();
        return all;
      }
      all += transport::as_text(bytes(memory).first(*size));
    }
  }
  std::error_code read_error(std::uint32_t id) {
    std::error_code end;
    read(id, &end);
    return end;
  }
  std::error_code write_error(std::uint32_t id) {
    const auto written = write(id, "x");
    return written ? std::error_code() : written.error();
  }
  yamux_statistics statistics() { return session.control().statistics(); }
  const close_reason* closed() { return session.control().closed(); }
  std::error_code cause() { return closed() == nullptr ? std::error_code() : closed()->cause; }
};

/// A server with a stream that a client by hand has opened with ID 1.
inline session_end server_with_stream(yamux_config config = {}) {
  config.role = role::server;
  session_end server(config);
  server.receive(window_frame(1, flag::syn));
  server.session.accept();
  server.frames();
  server.poll();
  server.events.clear();
  return server;
}

/// A client with stream 1, which a server by hand has acknowledged.
inline session_end client_with_stream(yamux_config config = {}) {
  config.role = role::client;
  session_end client(config);
  client.session.open().value();
  client.frames();
  client.receive(window_frame(1, flag::ack));
  client.poll();
  client.events.clear();
  return client;
}

/// Two sessions, each the other's carrier.
struct session_pair {
  session_end client;
  session_end server;

  explicit session_pair(yamux_config client_config = {}, yamux_config server_config = {})
      : client(with(client_config, role::client), 1),
        server(with(server_config, role::server), 2) {}
  static yamux_config with(yamux_config config, role which) {
    config.role = which;
    return config;
  }

  static bool carry(session_end& from, session_end& to, std::size_t most = SIZE_MAX) {
    const byte_vector moved = from.write_once(most);
    to.receive(moved);
    return !moved.empty();
  }
  /// Until neither has anything to say.
  void settle() {
    bool moved = true;
    while (moved) {
      moved = carry(client, server);
      moved = carry(server, client) || moved;
    }
  }
  void advance(transport::duration by) {
    client.now += by;
    server.now += by;
  }
};

}  // namespace strata::mux::core::testing
