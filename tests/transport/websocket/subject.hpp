// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "raw_frames.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_connection.hpp"
#include "testkit/fake_random.hpp"

namespace strata::transport::tests {

/// One connection under test, with a raw peer around it and a clock that stands still.
class subject {
 public:
  explicit subject(const websocket_config& config)
      : random_(7), core(config, random_), is_client_(config.role == websocket_role::client) {}

  /// A frame of the peer, masked as the peer must.
  raw_frame from_peer(unsigned opcode, std::string payload, bool fin = true) const {
    raw_frame frame;
    frame.opcode = opcode;
    frame.payload = std::move(payload);
    frame.fin = fin;
    frame.masked = !is_client_;
    return frame;
  }

  void feed(std::string_view stream, std::size_t step = SIZE_MAX) {
    while (!stream.empty()) {
      // A copy, which ends where the loan ends.
      const std::string piece(stream.substr(0, step));
      stream.remove_prefix(piece.size());
      core.receive(now, as_bytes(piece));
      core.release_input();
    }
  }
  void feed(const raw_frame& frame, std::size_t step = SIZE_MAX) { feed(encode(frame), step); }
  void feed(unsigned opcode, std::string payload, bool fin = true) {
    feed(from_peer(opcode, std::move(payload), fin));
  }

  /// Lets the carrier take `most` bytes; says what they were.
  std::string flush(std::size_t most = SIZE_MAX) {
    std::string out;
    std::array<bytes, 16> pieces;
    while (out.size() < most) {
      const std::size_t count = core.poll_output(now, pieces);
      std::size_t taken = 0;
      for (std::size_t i = 0; i < count && out.size() < most; ++i) {
        const bytes part = pieces[i].first(std::min(pieces[i].size(), most - out.size()));
        out += as_text(part);
        taken += part.size();
      }
      if (taken == 0) break;
      core.sent(taken);
    }
    return out;
  }
  /// All that waits, as frames.
  std::vector<raw_frame> frames() {
    stream_ += flush();
    std::string_view rest = stream_;
    std::vector<raw_frame> found;
    while (auto frame = decode(rest)) found.push_back(*frame);
    stream_ = std::string(rest);
    return found;
  }
  /// The frames in short: opcode in hexadecimal, '-' when not the last fragment, payload.
  std::string shown() {
    std::string out;
    for (const raw_frame& frame : frames()) {
      out += "0123456789abcdef"[frame.opcode];
      out += frame.fin ? "" : "-";
      out += frame.opcode == closing ? std::to_string(code_of(frame)) : frame.payload;
      out += " ";
    }
    return out;
  }

  result<std::string> read(std::size_t most = 1 << 20) {
    std::string out(most, '\0');
    const auto size = core.read(std::as_writable_bytes(std::span(out)));
    if (!size) return std::unexpected(size.error());
    out.resize(*size);
    return out;
  }
  std::error_code read_error() {
    const auto text = read();
    return text ? std::error_code() : text.error();
  }
  /// A whole message; its kind in front, '+' behind it when the end has not come.
  result<std::string> message(std::size_t most = 1 << 20) {
    std::string out(most, '\0');
    const auto part = core.read_message(std::as_writable_bytes(std::span(out)));
    if (!part) return std::unexpected(part.error());
    out.resize(part->size);
    return (part->kind == websocket_kind::text ? "t:" : "b:") + out + (part->end ? "" : "+");
  }

  result<std::size_t> write(std::string_view payload) {
    const bytes piece = as_bytes(payload);
    return core.write({&piece, 1});
  }
  result<std::size_t> send(websocket_kind kind, std::string_view payload, bool end = true) {
    const bytes piece = as_bytes(payload);
    return core.send(kind, {&piece, 1}, end);
  }

  /// Initials of the events that wait.
  std::string events() {
    std::string out;
    for (websocket_event event; core.poll_event(event);)
      out += "rwpc"[static_cast<int>(event.kind)];
    return out;
  }

  time_point now{std::chrono::seconds(1000)};

 private:
  testkit::fake_random random_;

 public:
  websocket_connection core;

 private:
  bool is_client_;
  std::string stream_;
};

inline websocket_config server_stream() { return {.role = websocket_role::server}; }
inline websocket_config client_stream() { return {.role = websocket_role::client}; }
inline websocket_config server_messages() {
  return {.role = websocket_role::server, .mode = websocket_mode::messages};
}
inline websocket_config client_messages() {
  return {.role = websocket_role::client, .mode = websocket_mode::messages};
}

}  // namespace strata::transport::tests
