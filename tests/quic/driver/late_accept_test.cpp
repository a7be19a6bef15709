// SPDX-License-Identifier: Apache-2.0
// What a peer had acknowledged before it closed is not lost because the application was busy.
#include <array>
#include <asio/write.hpp>
#include <string>

#include "endpoint_pair.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;
using transport::errc;

namespace {

/// Reads to the end; fails the test when that is no end in order.
std::string read_all(endpoint_pair& pair, quic::stream& stream) {
  std::string got;
  std::array<char, 64> memory;
  for (;;) {
    size_outcome read;
    stream.async_read_some(asio::buffer(memory), read.handler());
    pair.run_until([&] { return read.ran == 1; });
    if (read.error) {
      CHECK(read.error == errc::eof);
      return got;
    }
    got.append(memory.data(), read.value);
  }
}

/// Near sends `text` on a stream of its own, has it acknowledged, and closes.
void send_and_close(endpoint_pair& pair, const std::string& text) {
  stream_outcome opened;
  size_outcome written;
  plain_outcome finished, down;
  pair.near.async_open_stream(false, opened.handler());
  pair.run_until([&] { return opened.ran == 1; });
  asio::async_write(*opened.value, asio::buffer(text), written.handler());
  pair.run_until([&] { return written.ran == 1; });
  opened.value->async_finish(finished.handler());
  pair.near.async_shutdown(10s, 3, down.handler());
  pair.run_until([&] { return down.ran == 1; });
  CHECK_FALSE(down.error);
  pair.settle();
}

void check_arrived(endpoint_pair& pair, quic::connection& far, const std::string& text) {
  REQUIRE(far.closed());
  CHECK(far.closed()->code == 3);
  stream_outcome accepted;
  far.async_accept_stream(false, accepted.handler());
  pair.run_until([&] { return accepted.ran == 1; });
  REQUIRE_FALSE(accepted.error);
  CHECK(read_all(pair, *accepted.value) == text);

  stream_outcome second, other_kind;
  far.async_accept_stream(false, second.handler());
  far.async_accept_stream(true, other_kind.handler());
  pair.run_until([&] { return second.ran == 1 && other_kind.ran == 1; });
  CHECK(second.error == far.closed()->code_for_operations());
  CHECK(second.value == nullptr);
  CHECK(other_kind.error == far.closed()->code_for_operations());
}

}  // namespace

TEST_CASE("quic: a stream that arrived before the close can be accepted after it",
          "[quic][driver][closing]") {
  endpoint_pair pair;
  pair.connect();
  const std::string text = "acknowledged, so it is the application's";
  send_and_close(pair, text);
  check_arrived(pair, pair.far, text);
}

TEST_CASE("quic: a connection that ended before it was accepted is accepted with what it brought",
          "[quic][driver][closing]") {
  endpoint_pair pair;
  connection_outcome dialled;
  pair.client.async_connect(pair.server.local_address(), "server.test", pair.client_config,
                            dialled.handler());
  pair.run_until([&] { return dialled.ran == 1; });
  pair.near = std::move(dialled.value);
  const std::string text = "nobody has accepted yet";
  send_and_close(pair, text);

  connection_outcome accepted;
  pair.server.async_accept(accepted.handler());
  pair.run_until([&] { return accepted.ran == 1; });
  REQUIRE_FALSE(accepted.error);
  pair.far = std::move(accepted.value);
  check_arrived(pair, pair.far, text);
}
