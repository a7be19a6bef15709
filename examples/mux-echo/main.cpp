// SPDX-License-Identifier: Apache-2.0
// Many streams over one byte stream, without any I/O: two yamux sessions whose output is handed to
// each other. Whoever has a byte stream of any kind carries it the same way.
#include <array>
#include <chrono>
#include <iostream>
#include <strata/mux/core/yamux_session.hpp>
#include <string>

namespace core = strata::mux::core;
namespace transport = strata::transport;

/// False when there was nothing to carry.
bool carry(core::yamux_session& from, core::yamux_session& to) {
  const transport::time_point now = std::chrono::steady_clock::now();
  std::array<transport::bytes, 64> pieces;
  const std::size_t count = from.poll_output(now, pieces);
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    to.receive(now, pieces[i]);
    size += pieces[i].size();
  }
  to.release_input();
  from.sent(size);
  return count != 0;
}

/// Sends back what came, and the end behind it.
void echo(core::yamux_stream_view stream) {
  bool end = false;
  while (const auto piece = stream.peek(end)) {
    if (end) {
      (void)stream.finish();
      return;
    }
    const auto taken = stream.write({&*piece, 1});
    if (!taken) return;
    stream.consume(*taken);
  }
}

int main() {
  transport::system_random random;
  core::yamux_session client({.role = strata::mux::role::client}, random);
  core::yamux_session server({.role = strata::mux::role::server}, random);

  core::yamux_stream_view stream = client.stream(client.open().value());
  const transport::bytes question = transport::as_bytes("hello, yamux");
  stream.write({&question, 1}).value();
  stream.finish().value();

  std::string answer;
  for (bool moved = true; moved;) {
    moved = carry(client, server);
    while (server.accept()) {}
    for (core::event event; server.poll_event(event);)
      if (event.kind == core::event_kind::readable) echo(server.stream(event.stream));
    moved = carry(server, client) || moved;
    bool end = false;
    for (auto piece = stream.peek(end); piece && !end; piece = stream.peek(end)) {
      answer += transport::as_text(*piece);
      stream.consume(piece->size());
    }
  }
  std::cout << "echo: " << answer << '\n';
  return answer == "hello, yamux" ? 0 : 1;
}
