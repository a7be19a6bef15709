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

#include "core/anytls/authentication.hpp"
#include "mux/anytls/frames.hpp"
#include "strata/mux/core/anytls_session.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/fake_random.hpp"

namespace strata::mux::core::testing {

using namespace std::chrono_literals;
namespace limit = limits::anytls;
using kind = anytls_event_kind;

inline constexpr std::string_view password = "correct horse";

inline transport::sha256_digest digest_of(std::string_view text) {
  return transport::sha256(transport::as_bytes(text)).value();
}

/// What a client sends first, by hand.
inline byte_vector authentication_of(std::string_view text, std::uint16_t padding = 30) {
  const auto head = anytls::authentication_request(digest_of(text), padding);
  return byte_vector(head.begin(), head.end()) + byte_vector(padding);
}

inline byte_vector settings_of(std::string_view version,
                               std::string_view md5 = anytls_padding_scheme::standard().md5()) {
  return frame(command::settings, 0,
               "v=" + std::string(version) + "\nclient=test/1\npadding-md5=" + std::string(md5));
}

inline anytls_users some_users() {
  const std::array<anytls_user, 3> all{
      {{"ann", "other"}, {"bob", std::string(password)}, {"cid", "third"}}};
  return anytls_users::make(all).value();
}

inline anytls_config client_config(anytls_config config = {}) {
  config.role = role::client;
  config.password = digest_of(password);
  return config;
}
inline anytls_config server_config(anytls_config config = {}) {
  config.role = role::server;
  config.users = some_users();
  return config;
}

/// One session with what a driver does around it, at a time that the test sets. The peer is another
/// one of these, or frames by hand.
struct session_end {
  std::unique_ptr<testkit::fake_random> random;  ///< Where it is when the rest is moved.
  anytls_session session;
  time_point now{1000s};
  std::vector<anytls_event> events;
  byte_vector partial;             ///< Sent, and less than a frame.
  std::vector<std::size_t> sizes;  ///< Of all writes so far.

  explicit session_end(const anytls_config& config, std::uint64_t seed = 1)
      : random(std::make_unique<testkit::fake_random>(seed)), session(config, *random) {}

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
    if (!out.empty()) sizes.push_back(out.size());
    session.sent(out.size());
    return out;
  }
  /// All that it has to say now.
  byte_vector write_all() {
    byte_vector out;
    for (;;) {
      const byte_vector one = write_once();
      if (one.empty()) return out;
      out = std::move(out) + one;
    }
  }
  /// The same as frames; padding is left out.
  std::vector<seen_frame> frames() {
    partial = std::move(partial) + write_all();
    std::vector<seen_frame> all = take_frames(partial);
    std::erase_if(all, [](const seen_frame& one) { return one.command == command::waste; });
    return all;
  }

  void poll() {
    for (anytls_event one; session.poll_event(one);) events.push_back(one);
  }
  /// How many of these have come; they are forgotten.
  std::size_t take(kind which, std::uint32_t id = 0) {
    poll();
    return std::erase_if(
        events, [&](const anytls_event& one) { return one.kind == which && one.stream == id; });
  }
  bool has_no_events() {
    poll();
    return events.empty();
  }
  void forget_events() {
    poll();
    events.clear();
  }

  /// Lets time pass as a driver does: the timer fires when it is due, and not otherwise. What is
  /// said meanwhile is kept in `partial`.
  void pass(transport::duration by) {
    const time_point end = now + by;
    for (int fired = 0; fired < 10'000; ++fired) {
      partial = std::move(partial) + write_all();
      const auto next = session.next_timeout();
      if (!next || *next > end) break;
      now = std::max(now, *next);
      session.handle_timeout(now);
    }
    now = end;
    partial = std::move(partial) + write_all();
  }

  anytls_stream_view stream(std::uint32_t id) { return session.stream(id); }
  result<std::size_t> write(std::uint32_t id, std::string_view text) {
    const bytes piece = transport::as_bytes(text);
    return stream(id).write({&piece, 1});
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
  anytls_statistics statistics() { return session.control().statistics(); }
  const close_reason* closed() { return session.control().closed(); }
  std::error_code cause() { return closed() == nullptr ? std::error_code() : closed()->cause; }
};

/// A client whose authentication has left.
inline session_end new_client(const anytls_config& config = {}) {
  session_end client(client_config(config));
  client.write_once();
  client.sizes.clear();
  return client;
}

/// A client with stream 1, of which the first packet has left, and whose server is by hand.
inline session_end client_with_stream(const anytls_config& config = {}) {
  session_end client = new_client(config);
  client.session.open().value();
  client.write(1, "address").value();
  client.frames();
  return client;
}

/// The same after all packets that are padded, with a server of version 2 that took the stream.
inline session_end client_in_bulk(anytls_config config = {}) {
  config.padding = anytls_padding_scheme::parse(transport::as_bytes("stop=1\n0=30-30")).value();
  session_end client = client_with_stream(config);
  client.receive(frame(command::server_settings, 0, "v=2") + frame(command::synack, 1));
  client.forget_events();
  return client;
}

/// A server whose client, by hand, is authenticated and speaks that version.
inline session_end new_server(const anytls_config& config = {}, std::string_view version = "2") {
  session_end server(server_config(config));
  server.receive(authentication_of(password) + settings_of(version));
  server.frames();
  server.forget_events();
  return server;
}

/// The same with stream 1, accepted.
inline session_end server_with_stream(const anytls_config& config = {},
                                      std::string_view version = "2") {
  session_end server = new_server(config, version);
  server.receive(frame(command::syn, 1));
  server.session.accept().value();
  server.forget_events();
  return server;
}

/// Two sessions, each the other's carrier.
struct session_pair {
  session_end client;
  session_end server;

  explicit session_pair(const anytls_config& of_client = {}, const anytls_config& of_server = {})
      : client(client_config(of_client), 1), server(server_config(of_server), 2) {}

  static bool carry(session_end& from, session_end& to, std::size_t most = SIZE_MAX) {
    const byte_vector moved = std::exchange(from.partial, {}) + from.write_once(most);
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
  /// A stream whose both ends have it.
  std::uint32_t open_stream(std::string_view first = "address") {
    const std::uint32_t id = client.session.open().value();
    client.write(id, first).value();
    settle();
    server.stream(server.session.accept().value()).acknowledge();
    settle();
    return id;
  }
  /// What is said arrives within a second.
  void pass(transport::duration by) {
    for (; by > 0s; by -= std::min<transport::duration>(by, 1s)) {
      client.pass(std::min<transport::duration>(by, 1s));
      server.pass(std::min<transport::duration>(by, 1s));
      settle();
    }
  }
};

}  // namespace strata::mux::core::testing
