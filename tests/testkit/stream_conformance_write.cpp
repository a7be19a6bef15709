// SPDX-License-Identifier: Apache-2.0
// The rows async_write_some and async_finish.
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "testkit/stream_conformance.hpp"

namespace strata::testkit {
namespace {

using transport::errc;

void write_open(stream_exercise& on) {
  const auto written = on.write(*on.near, "hello");

  CHECK_FALSE(written.error());
  REQUIRE(written.count() >= 1);
  CHECK(on.read_exactly(*on.far, written.count()) ==
        std::string("hello").substr(0, written.count()));
}

void write_nothing(stream_exercise& on) {
  const auto empty = on.write(*on.near, "");

  CHECK_FALSE(empty.error());
  CHECK(empty.count() == 0);
}

void write_pieces(stream_exercise& on) {
  const std::array<asio::const_buffer, 4> buffers{asio::buffer("ab", 2), asio::const_buffer(),
                                                  asio::buffer("c", 1), asio::buffer("def", 3)};
  started_operation gathered;
  on.near->async_write_some(buffers, gathered.handler());
  gathered = on.complete(gathered);

  CHECK(gathered.count() == 6);
  CHECK(on.read_exactly(*on.far, 6) == "abcdef");
}

void write_waits_at_watermark(stream_exercise& on) {
  std::size_t accepted = 0;
  auto waiting = on.fill(*on.near, accepted);

  CHECK(on.read_exactly(*on.far, accepted).size() == accepted);

  waiting = on.complete(waiting);
  CHECK_FALSE(waiting.error());
  CHECK(waiting.count() >= 1);
  CHECK(on.read_exactly(*on.far, waiting.count()) == std::string(waiting.count(), 'x'));
}

void write_peer_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  CHECK_FALSE(on.finish(*on.far).error());
  on.settle();

  on.send(*on.near, "still heard");

  CHECK(on.read_exactly(*on.far, 11) == "still heard");
}

/// A reset through this interface abandons both directions. Where each is told, the peer has
/// stopped reading as well.
errc after_peers_reset(const stream_exercise& on) {
  return on.resets_each_direction() ? errc::write_stopped : errc::stream_reset;
}

void write_peer_reset(stream_exercise& on) {
  if (!on.row().traits.reset_visible) return;
  on.far->reset(7);
  on.settle();

  CHECK(on.write(*on.near, "x").error() == after_peers_reset(on));
  CHECK(on.write(*on.near, "x").error() == after_peers_reset(on));
}

void write_then_read_peer_reset(stream_exercise& on) {
  if (!on.row().traits.reset_visible) return;
  on.far->reset(7);
  on.settle();

  CHECK(on.write(*on.near, "x").error() == after_peers_reset(on));
  CHECK(on.read(*on.near).error() == errc::stream_reset);
}

void write_waits_for_peers_reset(stream_exercise& on) {
  if (!on.row().traits.reset_visible) return;
  std::size_t accepted = 0;
  auto waiting = on.fill(*on.near, accepted);

  on.far->reset(7);

  CHECK(on.complete(waiting).error() == after_peers_reset(on));
}

void write_peer_stopped_reading(stream_exercise& on) {
  if (!on.resets_each_direction()) return;
  CHECK_FALSE(on.finish(*on.far).error());
  on.far.reset();
  on.settle();

  CHECK(on.write(*on.near, "x").error() == errc::write_stopped);
  CHECK(on.write(*on.near, "x").error() == errc::write_stopped);
  CHECK(on.near->codes().stopped.has_value() == on.row().traits.reset_code);
}

void write_we_finished(stream_exercise& on) {
  CHECK_FALSE(on.finish(*on.near).error());

  CHECK(on.write(*on.near, "x").error() == errc::write_finished);
  CHECK(on.write(*on.near, "x").error() == errc::write_finished);
}

void write_we_reset(stream_exercise& on) {
  std::size_t accepted = 0;
  auto waiting = on.fill(*on.near, accepted);

  on.near->reset(9);

  CHECK(on.complete(waiting).error() == errc::aborted);
  CHECK(on.write(*on.near, "x").error() == errc::closed);
}

void write_handle_destroyed(stream_exercise& on) {
  std::size_t accepted = 0;
  auto waiting = on.fill(*on.near, accepted);

  on.near.reset();

  CHECK(on.complete(waiting).error() == errc::aborted);
}

void write_connection_gone(stream_exercise& on) {
  const auto cause = on.of().lose();
  if (!cause) return;
  on.settle();

  CHECK(on.write(*on.near, "x").error() == *cause);
  CHECK(on.write(*on.near, "x").error() == *cause);
}

void finish_open(stream_exercise& on) {
  on.send(*on.near, "last words");

  CHECK_FALSE(on.finish(*on.near).error());

  CHECK(on.read_exactly(*on.far, 10) == "last words");
  on.let_held_end_leave();
  CHECK(on.read(*on.far).error() == errc::eof);
}

void finish_peer_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  CHECK_FALSE(on.finish(*on.far).error());
  on.settle();

  CHECK_FALSE(on.finish(*on.near).error());

  CHECK(on.read(*on.near).error() == errc::eof);
  CHECK(on.read(*on.far).error() == errc::eof);
}

void finish_peer_reset(stream_exercise& on) {
  if (!on.row().traits.reset_visible) return;
  on.far->reset(7);
  on.settle();

  const auto finished = on.finish(*on.near);

  CHECK(finished.error() ==
        (on.resets_each_direction() ? std::error_code() : make_error_code(errc::stream_reset)));
}

void finish_peer_stopped_reading(stream_exercise& on) {
  if (!on.resets_each_direction()) return;
  CHECK_FALSE(on.finish(*on.far).error());
  on.far.reset();
  on.settle();

  CHECK_FALSE(on.finish(*on.near).error());
  CHECK(on.write(*on.near, "x").error() == errc::write_stopped);
}

void finish_we_finished(stream_exercise& on) {
  CHECK_FALSE(on.finish(*on.near).error());
  CHECK_FALSE(on.finish(*on.near).error());

  on.let_held_end_leave();
  CHECK(on.read(*on.far).error() == errc::eof);
}

void finish_we_reset(stream_exercise& on) {
  on.near->reset(9);

  CHECK(on.finish(*on.near).error() == errc::closed);
}

void finish_connection_gone(stream_exercise& on) {
  const auto cause = on.of().lose();
  if (!cause) return;
  on.settle();

  CHECK(on.finish(*on.near).error() == *cause);
}

constexpr std::string_view write_row = "async_write_some";
constexpr std::string_view finish_row = "async_finish";

constexpr std::array cells{
    conformance_case{write_row, "open", write_open},
    conformance_case{write_row, "open, empty buffers", write_nothing},
    conformance_case{write_row, "open, several buffers", write_pieces},
    conformance_case{write_row, "open, at the watermark", write_waits_at_watermark},
    conformance_case{write_row, "peer finished", write_peer_finished},
    conformance_case{write_row, "peer reset", write_peer_reset},
    conformance_case{write_row, "peer reset, then a read", write_then_read_peer_reset},
    conformance_case{write_row, "peer resets while it waits", write_waits_for_peers_reset},
    conformance_case{write_row, "peer stopped reading", write_peer_stopped_reading},
    conformance_case{write_row, "we finished", write_we_finished},
    conformance_case{write_row, "we reset", write_we_reset},
    conformance_case{write_row, "handle destroyed", write_handle_destroyed},
    conformance_case{write_row, "connection gone", write_connection_gone},
    conformance_case{finish_row, "open", finish_open},
    conformance_case{finish_row, "peer finished", finish_peer_finished},
    conformance_case{finish_row, "peer reset", finish_peer_reset},
    conformance_case{finish_row, "peer stopped reading", finish_peer_stopped_reading},
    conformance_case{finish_row, "we finished", finish_we_finished},
    conformance_case{finish_row, "we reset", finish_we_reset},
    conformance_case{finish_row, "connection gone", finish_connection_gone},
};

}  // namespace

std::span<const conformance_case> write_conformance() { return cells; }

}  // namespace strata::testkit
