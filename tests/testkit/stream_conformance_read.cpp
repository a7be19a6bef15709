// SPDX-License-Identifier: Apache-2.0
// The rows async_read_some and async_wait_readable.
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "testkit/stream_conformance.hpp"

namespace strata::testkit {
namespace {

using transport::errc;

void read_open(stream_exercise& on) {
  auto waiting = on.start_read(*on.near);
  on.settle();
  CHECK_FALSE(waiting.is_done());

  on.send(*on.far, "hello");

  waiting = on.complete(waiting);
  CHECK_FALSE(waiting.error());
  CHECK(std::string("hello").starts_with(waiting.text()));
  CHECK(waiting.count() >= 1);
}

void read_nothing(stream_exercise& on) {
  const auto empty = on.read(*on.near, 0);

  CHECK_FALSE(empty.error());
  CHECK(empty.count() == 0);
}

void read_pieces(stream_exercise& on) {
  on.send(*on.far, "abcdef");

  std::array<char, 2> first;
  std::array<char, 0> none;
  std::array<char, 4> second;
  const std::array<asio::mutable_buffer, 3> buffers{asio::buffer(first), asio::buffer(none),
                                                    asio::buffer(second)};
  started_operation scattered;
  on.near->async_read_some(buffers, scattered.handler());
  scattered = on.complete(scattered);

  CHECK(scattered.count() == 6);
  CHECK(std::string_view(first.data(), 2) == "ab");
  CHECK(std::string_view(second.data(), 4) == "cdef");
}

void read_peer_finished(stream_exercise& on) {
  if (on.row().peer_holds_finish) return;
  on.send(*on.far, "the rest");
  CHECK_FALSE(on.finish(*on.far).error());
  on.settle();

  CHECK(on.read_exactly(*on.near, 8) == "the rest");
  CHECK(on.read(*on.near).error() == errc::eof);
  CHECK(on.read(*on.near).error() == errc::eof);
}

void read_waits_for_peers_finish(stream_exercise& on) {
  if (on.row().peer_holds_finish) return;
  auto waiting = on.start_read(*on.near);
  on.settle();

  CHECK_FALSE(on.finish(*on.far).error());

  CHECK(on.complete(waiting).error() == errc::eof);
}

void read_peer_reset(stream_exercise& on) {
  if (!on.row().traits.reset_visible) return;
  on.send(*on.far, "never read");
  on.far->reset(7);
  on.settle();

  CHECK(on.read(*on.near).error() == errc::stream_reset);
  CHECK(on.read(*on.near).error() == errc::stream_reset);
  CHECK(on.near->codes().reset.has_value() == on.row().traits.reset_code);
  CHECK(on.near->codes().reset.value_or(7) == 7);
}

void read_waits_for_peers_reset(stream_exercise& on) {
  if (!on.row().traits.reset_visible) return;
  auto waiting = on.start_read(*on.near);
  on.settle();

  on.far->reset(7);

  CHECK(on.complete(waiting).error() == errc::stream_reset);
}

void read_peer_stopped_reading(stream_exercise& on) {
  if (!on.resets_each_direction()) return;
  on.send(*on.far, "sent before");
  CHECK_FALSE(on.finish(*on.far).error());
  on.far.reset();  // finished, our end unseen: it stops reading only
  on.settle();

  CHECK(on.read_exactly(*on.near, 11) == "sent before");
  CHECK(on.read(*on.near).error() == errc::eof);
}

void read_we_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  CHECK_FALSE(on.finish(*on.near).error());

  on.send(*on.far, "answer");

  CHECK(on.read_exactly(*on.near, 6) == "answer");
}

void read_we_reset(stream_exercise& on) {
  auto waiting = on.start_read(*on.near);
  on.settle();

  on.near->reset(9);

  CHECK(on.complete(waiting).error() == errc::aborted);
  CHECK(on.read(*on.near).error() == errc::closed);
  CHECK(on.read(*on.near).error() == errc::closed);
}

void read_handle_destroyed(stream_exercise& on) {
  auto waiting = on.start_read(*on.near);
  on.settle();

  on.near.reset();

  CHECK_FALSE(waiting.is_done());
  CHECK(on.complete(waiting).error() == errc::aborted);
}

void read_connection_gone(stream_exercise& on) {
  on.send(*on.far, "buffered");
  const auto cause = on.of().lose();
  if (!cause) return;
  on.settle();

  CHECK(on.read_exactly(*on.near, 8) == "buffered");
  CHECK(on.read(*on.near).error() == *cause);
  CHECK(on.read(*on.near).error() == *cause);
}

void read_waits_while_connection_goes(stream_exercise& on) {
  auto waiting = on.start_read(*on.near);
  on.settle();
  const auto cause = on.of().lose();
  if (!cause) return;

  CHECK(on.complete(waiting).error() == *cause);
}

void read_connection_gone_after_end(stream_exercise& on) {
  if (on.row().peer_holds_finish) return;
  on.send(*on.far, "all");
  CHECK_FALSE(on.finish(*on.far).error());
  on.settle();
  if (!on.of().lose()) return;
  on.settle();

  CHECK(on.read_exactly(*on.near, 3) == "all");
  CHECK(on.read(*on.near).error() == errc::eof);
}

void wait_open(stream_exercise& on) {
  auto waiting = on.start_wait_readable(*on.near);
  on.settle();
  CHECK_FALSE(waiting.is_done());

  on.send(*on.far, "x");

  CHECK_FALSE(on.complete(waiting).error());
  CHECK(on.read(*on.near).text() == "x");
}

void wait_unread(stream_exercise& on) {
  on.send(*on.far, "xy");

  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
  CHECK(on.read(*on.near, 1).text() == "x");
  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
}

void wait_peer_finished(stream_exercise& on) {
  if (on.row().peer_holds_finish) return;
  CHECK_FALSE(on.finish(*on.far).error());

  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
  CHECK(on.read(*on.near).error() == errc::eof);
  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
}

void wait_peer_reset(stream_exercise& on) {
  on.far->reset(7);

  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
  CHECK(on.read(*on.near).error());
  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
}

void wait_we_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  CHECK_FALSE(on.finish(*on.near).error());
  auto waiting = on.start_wait_readable(*on.near);
  on.settle();
  CHECK_FALSE(waiting.is_done());

  on.send(*on.far, "x");

  CHECK_FALSE(on.complete(waiting).error());
}

void wait_we_reset(stream_exercise& on) {
  auto waiting = on.start_wait_readable(*on.near);
  on.settle();

  on.near->reset(9);

  CHECK(on.complete(waiting).error() == errc::aborted);
  CHECK(on.complete(on.start_wait_readable(*on.near)).error() == errc::closed);
}

void wait_connection_gone(stream_exercise& on) {
  auto waiting = on.start_wait_readable(*on.near);
  on.settle();
  const auto cause = on.of().lose();
  if (!cause) return;

  CHECK_FALSE(on.complete(waiting).error());
  CHECK(on.read(*on.near).error() == *cause);
}

constexpr std::string_view read_row = "async_read_some";
constexpr std::string_view wait_row = "async_wait_readable";

constexpr std::array cells{
    conformance_case{read_row, "open", read_open},
    conformance_case{read_row, "open, empty buffers", read_nothing},
    conformance_case{read_row, "open, several buffers", read_pieces},
    conformance_case{read_row, "peer finished", read_peer_finished},
    conformance_case{read_row, "peer finishes while it waits", read_waits_for_peers_finish},
    conformance_case{read_row, "peer reset", read_peer_reset},
    conformance_case{read_row, "peer resets while it waits", read_waits_for_peers_reset},
    conformance_case{read_row, "peer stopped reading", read_peer_stopped_reading},
    conformance_case{read_row, "we finished", read_we_finished},
    conformance_case{read_row, "we reset", read_we_reset},
    conformance_case{read_row, "handle destroyed", read_handle_destroyed},
    conformance_case{read_row, "connection gone", read_connection_gone},
    conformance_case{read_row, "connection goes while it waits", read_waits_while_connection_goes},
    conformance_case{read_row, "connection gone after the end", read_connection_gone_after_end},
    conformance_case{wait_row, "open", wait_open},
    conformance_case{wait_row, "open, bytes unread", wait_unread},
    conformance_case{wait_row, "peer finished", wait_peer_finished},
    conformance_case{wait_row, "peer reset", wait_peer_reset},
    conformance_case{wait_row, "we finished", wait_we_finished},
    conformance_case{wait_row, "we reset", wait_we_reset},
    conformance_case{wait_row, "connection gone", wait_connection_gone},
};

}  // namespace

std::span<const conformance_case> read_conformance() { return cells; }

}  // namespace strata::testkit
