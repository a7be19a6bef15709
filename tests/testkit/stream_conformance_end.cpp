// SPDX-License-Identifier: Apache-2.0
// The rows reset, destructor and async_wait_closed.
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "testkit/stream_conformance.hpp"

namespace strata::testkit {
namespace {

using transport::errc;

/// What the peer reads after this side has abandoned the stream.
void check_peer_sees_reset(stream_exercise& on) {
  on.settle();
  if (on.row().traits.reset_visible) CHECK(on.read(*on.far).error() == errc::stream_reset);
}

void reset_open(stream_exercise& on) {
  on.send(*on.near, "dropped");
  auto reading = on.start_read(*on.near);

  on.near->reset(9);

  CHECK(on.complete(reading).error() == errc::aborted);
  check_peer_sees_reset(on);
  CHECK(on.far->codes().reset.has_value() == on.row().traits.reset_code);
  CHECK(on.far->codes().reset.value_or(9) == 9);
  if (on.resets_each_direction()) {
    CHECK(on.write(*on.far, "x").error() == errc::write_stopped);
    CHECK(on.far->codes().stopped.value_or(9) == 9);
  }
}

void reset_peer_finished(stream_exercise& on) {
  // Without half-close the peer's end has ended both directions: there is nothing to reset.
  if (!on.row().traits.half_close) return;
  on.send(*on.far, "the rest");
  CHECK_FALSE(on.finish(*on.far).error());
  on.settle();

  on.near->reset(9);

  if (on.resets_each_direction()) {  // the write side only
    CHECK(on.read_exactly(*on.near, 8) == "the rest");
    CHECK(on.read(*on.near).error() == errc::eof);
  }
  CHECK(on.write(*on.near, "x").error() == errc::closed);
  check_peer_sees_reset(on);
}

void reset_peer_reset(stream_exercise& on) {
  if (!on.row().traits.reset_visible) return;
  on.far->reset(7);
  on.settle();
  CHECK(on.read(*on.near).error() == errc::stream_reset);

  on.near->reset(9);

  CHECK(on.read(*on.near).error() == errc::stream_reset);
}

void reset_peer_stopped_reading(stream_exercise& on) {
  if (!on.resets_each_direction()) return;
  CHECK_FALSE(on.finish(*on.far).error());
  on.far.reset();
  on.settle();

  on.near->reset(9);

  CHECK(on.write(*on.near, "x").error() == errc::write_stopped);
}

void reset_we_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  on.send(*on.near, "written before");
  CHECK_FALSE(on.finish(*on.near).error());

  on.near->reset(9);

  CHECK(on.read(*on.near).error() == errc::closed);
  if (!on.resets_each_direction()) return;
  CHECK(on.read_exactly(*on.far, 14) == "written before");
  CHECK(on.read(*on.far).error() == errc::eof);
  CHECK(on.write(*on.far, "x").error() == errc::write_stopped);
}

void reset_we_reset(stream_exercise& on) {
  on.near->reset(9);
  on.near->reset(10);
  on.settle();

  CHECK(on.read(*on.near).error() == errc::closed);
  check_peer_sees_reset(on);
  CHECK(on.far->codes().reset.value_or(9) == 9);
}

void reset_connection_gone(stream_exercise& on) {
  const auto cause = on.of().lose();
  if (!cause) return;
  on.settle();
  CHECK(on.read(*on.near).error() == *cause);

  on.near->reset(9);

  CHECK(on.read(*on.near).error() == *cause);
  CHECK(on.write(*on.near, "x").error() == *cause);
}

void destroy_open(stream_exercise& on) {
  on.send(*on.near, "dropped");

  on.near.reset();

  check_peer_sees_reset(on);
  CHECK(on.far->codes().reset.value_or(transport::stream_cancelled) == transport::stream_cancelled);
}

void destroy_peer_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  CHECK_FALSE(on.finish(*on.far).error());
  on.settle();
  CHECK(on.read(*on.near).error() == errc::eof);

  on.near.reset();

  check_peer_sees_reset(on);
}

void destroy_both_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  CHECK_FALSE(on.finish(*on.far).error());
  on.settle();
  CHECK(on.read(*on.near).error() == errc::eof);
  on.send(*on.near, "goodbye");
  CHECK_FALSE(on.finish(*on.near).error());

  on.near.reset();
  on.settle();

  CHECK(on.read_exactly(*on.far, 7) == "goodbye");
  CHECK(on.read(*on.far).error() == errc::eof);
}

void destroy_peer_reset(stream_exercise& on) {
  on.far->reset(7);
  on.settle();

  on.near.reset();
  on.settle();

  CHECK(on.read(*on.far).error() == errc::closed);
}

void destroy_we_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  on.send(*on.far, "a request that is never read");
  on.send(*on.near, "the answer");
  CHECK_FALSE(on.finish(*on.near).error());

  on.near.reset();
  on.settle();

  CHECK(on.read_exactly(*on.far, 10) == "the answer");
  CHECK(on.read(*on.far).error() == errc::eof);
  if (on.resets_each_direction()) CHECK(on.write(*on.far, "x").error() == errc::write_stopped);
}

void destroy_connection_gone(stream_exercise& on) {
  if (!on.of().lose()) return;
  on.settle();

  on.near.reset();
  on.far.reset();
  on.settle();
}

void closed_open(stream_exercise& on) {
  auto waiting = on.start_wait_closed(*on.near);
  on.send(*on.far, "x");
  on.settle();

  CHECK_FALSE(waiting.is_done());
}

void closed_both_finished(stream_exercise& on) {
  auto waiting = on.start_wait_closed(*on.near);
  CHECK_FALSE(on.finish(*on.near).error());
  on.settle();
  if (on.row().traits.half_close) CHECK_FALSE(waiting.is_done());

  on.finish(*on.far);
  if (on.row().sees_end_by_reading_only) CHECK(on.read(*on.near).error() == errc::eof);

  CHECK_FALSE(on.complete(waiting).error());
}

void closed_peer_finished(stream_exercise& on) {
  if (!on.row().traits.half_close) return;
  CHECK_FALSE(on.finish(*on.far).error());
  CHECK(on.read(*on.near).error() == errc::eof);
  auto waiting = on.start_wait_closed(*on.near);
  on.settle();
  CHECK_FALSE(waiting.is_done());

  CHECK_FALSE(on.finish(*on.near).error());

  CHECK_FALSE(on.complete(waiting).error());
}

void closed_peer_reset(stream_exercise& on) {
  if (!on.row().traits.reset_visible) return;
  auto waiting = on.start_wait_closed(*on.near);
  on.settle();

  on.far->reset(7);

  CHECK(on.complete(waiting).error() == errc::stream_reset);
  CHECK(on.complete(on.start_wait_closed(*on.near)).error() == errc::stream_reset);
}

void closed_we_reset(stream_exercise& on) {
  auto waiting = on.start_wait_closed(*on.near);
  on.settle();

  on.near->reset(9);

  CHECK(on.complete(waiting).error() == errc::aborted);
  CHECK(on.complete(on.start_wait_closed(*on.near)).error() == errc::closed);
}

void closed_connection_gone(stream_exercise& on) {
  auto waiting = on.start_wait_closed(*on.near);
  on.settle();
  const auto cause = on.of().lose();
  if (!cause) return;

  CHECK(on.complete(waiting).error() == *cause);
}

constexpr std::string_view reset_row = "reset";
constexpr std::string_view destructor_row = "destructor";
constexpr std::string_view closed_row = "async_wait_closed";

constexpr std::array cells{
    conformance_case{reset_row, "open", reset_open},
    conformance_case{reset_row, "peer finished", reset_peer_finished},
    conformance_case{reset_row, "peer reset", reset_peer_reset},
    conformance_case{reset_row, "peer stopped reading", reset_peer_stopped_reading},
    conformance_case{reset_row, "we finished", reset_we_finished},
    conformance_case{reset_row, "we reset", reset_we_reset},
    conformance_case{reset_row, "connection gone", reset_connection_gone},
    conformance_case{destructor_row, "open", destroy_open},
    conformance_case{destructor_row, "peer finished", destroy_peer_finished},
    conformance_case{destructor_row, "peer finished, we too", destroy_both_finished},
    conformance_case{destructor_row, "peer reset", destroy_peer_reset},
    conformance_case{destructor_row, "we finished", destroy_we_finished},
    conformance_case{destructor_row, "connection gone", destroy_connection_gone},
    conformance_case{closed_row, "open", closed_open},
    conformance_case{closed_row, "peer finished", closed_peer_finished},
    conformance_case{closed_row, "both finished", closed_both_finished},
    conformance_case{closed_row, "peer reset", closed_peer_reset},
    conformance_case{closed_row, "we reset", closed_we_reset},
    conformance_case{closed_row, "connection gone", closed_connection_gone},
};

}  // namespace

std::span<const conformance_case> end_conformance() { return cells; }

}  // namespace strata::testkit
