// SPDX-License-Identifier: Apache-2.0
// The rows try_read_some and try_write_some.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "testkit/stream_conformance.hpp"

namespace strata::testkit {
namespace {

using transport::errc;

std::error_code error_of(const transport::result<std::size_t>& got) {
  return got ? std::error_code() : got.error();
}

transport::result<std::size_t> try_read(stream_exercise& on, std::string& memory) {
  return on.near->try_read_some(asio::buffer(memory));
}

void read_open(stream_exercise& on) {
  std::string memory(64, ' ');
  const auto nothing_yet = try_read(on, memory);
  CHECK(error_of(nothing_yet) == (on.row().tries ? errc::would_block : errc::not_supported));
  if (!on.row().tries) return;

  on.send(*on.far, "hello");
  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
  const auto got = try_read(on, memory);

  REQUIRE(got);
  CHECK(*got != 0);
  CHECK(std::string("hello").starts_with(memory.substr(0, *got)));
  on.read_exactly(*on.near, 5 - *got);
  CHECK(error_of(try_read(on, memory)) == errc::would_block);
  // An asynchronous read goes on where it ended.
  auto waiting = on.start_read(*on.near);
  on.send(*on.far, "again");
  waiting = on.complete(waiting);
  CHECK(waiting.count() != 0);
  CHECK(std::string("again").starts_with(waiting.text()));
}

void read_peer_finished(stream_exercise& on) {
  if (!on.row().tries || on.row().peer_holds_finish) return;
  CHECK_FALSE(on.finish(*on.far).error());
  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
  std::string memory(64, ' ');

  CHECK(error_of(try_read(on, memory)) == errc::eof);
  CHECK(error_of(try_read(on, memory)) == errc::eof);
  CHECK(on.read(*on.near).error() == errc::eof);
}

void read_we_reset(stream_exercise& on) {
  if (!on.row().tries) return;
  on.near->reset(3);
  std::string memory(64, ' ');

  CHECK(error_of(try_read(on, memory)) == errc::closed);
}

void read_connection_gone(stream_exercise& on) {
  if (!on.row().tries) return;
  const auto cause = on.of().lose();
  if (!cause) return;
  on.settle();
  std::string memory(64, ' ');

  CHECK(error_of(try_read(on, memory)) == *cause);
}

void write_open(stream_exercise& on) {
  const std::string text = "written at once";
  const auto taken = on.near->try_write_some(asio::buffer(text));
  if (!on.row().tries) {
    CHECK(error_of(taken) == errc::not_supported);
    return;
  }

  REQUIRE(taken);
  CHECK(*taken == text.size());
  CHECK(on.read_exactly(*on.far, text.size()) == text);
}

void write_until_full(stream_exercise& on) {
  if (!on.row().tries) return;
  const std::string text(100'000, 'x');
  std::size_t sent = 0;
  transport::result<std::size_t> taken;
  do {
    taken = on.near->try_write_some(asio::buffer(text));
    sent += taken.value_or(0);
    on.settle();
  } while (taken);
  CHECK(error_of(taken) == errc::would_block);

  CHECK(on.read_exactly(*on.far, sent).size() == sent);
  CHECK_FALSE(on.write(*on.near, "more").error());
}

void write_we_finished(stream_exercise& on) {
  if (!on.row().tries) return;
  CHECK_FALSE(on.finish(*on.near).error());

  CHECK(error_of(on.near->try_write_some(asio::buffer("late", 4))) == errc::write_finished);
}

void nothing(stream_exercise& on) {
  if (!on.row().tries) return;
  std::string none;

  CHECK(try_read(on, none) == 0);
  CHECK(on.near->try_write_some(asio::buffer(none)) == 0);
}

constexpr std::string_view read_row = "try_read_some";
constexpr std::string_view write_row = "try_write_some";

constexpr std::array cells{
    conformance_case{read_row, "open", read_open},
    conformance_case{read_row, "peer finished", read_peer_finished},
    conformance_case{read_row, "we reset", read_we_reset},
    conformance_case{read_row, "connection gone", read_connection_gone},
    conformance_case{write_row, "open", write_open},
    conformance_case{write_row, "open, until it is full", write_until_full},
    conformance_case{write_row, "we finished", write_we_finished},
    conformance_case{"both", "empty buffers", nothing},
};

}  // namespace

std::span<const conformance_case> try_conformance() { return cells; }

}  // namespace strata::testkit
