// SPDX-License-Identifier: Apache-2.0
#include "tls_pair.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "strata/transport/core/error.hpp"

namespace strata::transport::tests {

using testkit::test_certificates;

tls_client_options trusting_client() {
  tls_client_options options;
  options.alpn = {"test/1"};
  options.system_roots = false;
  options.roots = {test_certificates::shared().authority.root()};
  return options;
}

tls_server_options test_server() {
  tls_server_options options;
  options.alpn = {"test/1"};
  options.credentials = {test_certificates::shared().server.credential()};
  return options;
}

tls_context made(const tls_result<tls_context>& context) {
  if (!context) FAIL(context.error().text);
  return *context;
}

void tls_end::drain() {
  tls_connection::event what{};
  while (core.poll_event(what)) {
    events.push_back(what);
    if (what == tls_connection::event::readable && reads) read_all();
  }
}

void tls_end::read_all() {
  std::string buffer(read_size, '\0');
  for (;;) {
    const auto count = core.read(std::as_writable_bytes(std::span(buffer)));
    if (count) {
      received.append(buffer, 0, *count);
      continue;
    }
    if (count.error() != errc::would_block) read_end = count.error();
    return;
  }
}

bool tls_end::saw(tls_connection::event what) const { return count(what) != 0; }

std::size_t tls_end::count(tls_connection::event what) const {
  return static_cast<std::size_t>(std::count(events.begin(), events.end(), what));
}

std::size_t tls_end::write(std::string_view text) {
  const bytes piece = as_bytes(text);
  return core.write({&piece, 1}).value_or(0);
}

tls_pair::tls_pair(const tls_context& client_context, const tls_context& server_context,
                   tls_pair_options options)
    : client(client_context, options.client, options.pages ? *options.pages : own_pages),
      server(server_context, options.server, options.pages ? *options.pages : own_pages),
      step_(options.step) {
  REQUIRE(server.core.begin(now).has_value());
  REQUIRE(client.core.begin(now).has_value());
}

bool tls_pair::carry(tls_end& from, tls_end& to) {
  std::vector<std::byte> wire = take_output(from.core, now);
  if (wire.empty()) return false;
  const bool forth = &to == &server;
  if (edit) edit(forth, wire);
  auto& record = forth ? to_server : to_client;
  record.insert(record.end(), wire.begin(), wire.end());
  for (bytes rest = wire; !rest.empty();) {
    const bytes part = rest.first(std::min(rest.size(), step_));
    // A copy that is gone afterwards shows reading of lent memory to the sanitizer.
    const std::vector<std::byte> lent(part.begin(), part.end());
    to.core.receive(now, lent);
    to.drain();
    to.core.release_input();
    to.drain();
    rest = rest.subspan(part.size());
  }
  from.drain();
  return true;
}

void tls_pair::run(unsigned turns) {
  for (unsigned turn = 0; turn < turns; ++turn) {
    const bool forth = carry(client, server);
    const bool back = carry(server, client);
    if (!forth && !back) return;
  }
}

bool tls_pair::shake_hands() {
  run();
  client.drain();
  server.drain();
  return client.core.is_ready() && server.core.is_ready() && client.core.failure() == nullptr &&
         server.core.failure() == nullptr;
}

void tls_pair::advance(duration by) {
  now += by;
  for (tls_end* const end : {&client, &server}) {
    if (const auto due = end->core.next_timeout(); due && *due <= now)
      end->core.handle_timeout(now);
    end->drain();
  }
}

void tls_pair::end_carrier(tls_end& at) {
  at.core.receive_end(now);
  at.drain();
}

std::vector<std::byte> take_output(tls_connection& from, time_point now) {
  std::vector<std::byte> wire;
  std::array<bytes, 4> pieces;
  while (const std::size_t count = from.poll_output(now, pieces)) {
    std::size_t size = 0;
    for (const bytes each : std::span(pieces).first(count)) {
      wire.insert(wire.end(), each.begin(), each.end());
      size += each.size();
    }
    from.sent(size);
  }
  return wire;
}

std::vector<std::vector<std::byte>> records_of(bytes wire) {
  std::vector<std::vector<std::byte>> out;
  while (!wire.empty()) {
    std::size_t size = wire.size();
    if (wire.size() >= 5) {
      const auto length =
          std::to_integer<std::size_t>(wire[3]) << 8 | std::to_integer<std::size_t>(wire[4]);
      size = std::min(size, 5 + length);
    }
    out.emplace_back(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size));
    wire = wire.subspan(size);
  }
  return out;
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<char>('a' + i * 31 % 26 + i / 997 % 3);
  return out;
}

}  // namespace strata::transport::tests
