// SPDX-License-Identifier: Apache-2.0
// The rows try_read_some, try_write_some and try_peek.
#include <array>
#include <asio/write.hpp>
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

std::string text_of(std::span<const transport::bytes> pieces) {
  std::string all;
  for (const transport::bytes piece : pieces) all += transport::as_text(piece);
  return all;
}

using few_pieces = std::array<transport::bytes, 3>;

/// What is shown, which stays where it is.
transport::result<std::string> peek(stream_exercise& on) {
  few_pieces pieces;
  const auto shown = on.near->try_peek(pieces);
  if (!shown) return std::unexpected(shown.error());
  CHECK(*shown != 0);
  return text_of(std::span(pieces).first(*shown));
}

std::error_code peek_error(stream_exercise& on) {
  const auto shown = peek(on);
  return shown ? std::error_code() : shown.error();
}

void peek_open(stream_exercise& on) {
  CHECK(peek_error(on) == (on.row().peeks ? errc::would_block : errc::not_supported));
  if (!on.row().peeks) return;

  on.send(*on.far, "hello");
  CHECK_FALSE(on.complete(on.start_wait_readable(*on.near)).error());
  on.settle();
  CHECK(peek(on) == "hello");
  CHECK(peek(on) == "hello");
  on.near->consume(2);
  CHECK(peek(on) == "llo");
  CHECK(on.read(*on.near, 1).text() == "l");
  on.near->consume(0);
  CHECK(peek(on) == "lo");
  on.near->consume(2);
  CHECK(peek_error(on) == errc::would_block);
  // What comes then completes a wait, and a read.
  const auto waiting = on.start_wait_readable(*on.near);
  on.send(*on.far, "again");
  CHECK_FALSE(on.complete(waiting).error());
  CHECK(on.read_exactly(*on.near, 5) == "again");
}

/// Where the carrier put it: the handler is called before that memory is used again.
void peek_in_handler(stream_exercise& on) {
  if (!on.row().peeks) return;
  std::string seen;
  const std::string answer(20'000, 'a');
  on.near->async_wait_readable([&](std::error_code error) {
    CHECK_FALSE(error);
    few_pieces pieces;
    const auto shown = on.near->try_peek(pieces);
    REQUIRE(shown);
    CHECK(on.near->try_write_some(asio::buffer(answer)) == answer.size());
    seen = text_of(std::span(pieces).first(*shown));
    on.near->consume(seen.size() - 1);
  });
  on.send(*on.far, "hello");
  on.settle();

  REQUIRE_FALSE(seen.empty());
  CHECK(std::string("hello").starts_with(seen));
  CHECK(seen.back() + on.read_exactly(*on.near, 5 - seen.size()) ==
        std::string("hello").substr(seen.size() - 1));
  CHECK(on.read_exactly(*on.far, answer.size()) == answer);
}

/// More than the carrier holds, so that it has to be told what was taken.
void peek_pages(stream_exercise& on) {
  if (!on.row().peeks) return;
  std::string text;
  while (text.size() < 1'500'000) text += std::to_string(text.size());
  bool written = false;
  asio::async_write(*on.far, asio::buffer(text),
                    [&](std::error_code error, std::size_t) { written = !error; });
  on.settle();
  CHECK_FALSE(written);

  std::string got;
  while (got.size() < text.size()) {
    const auto shown = peek(on);
    if (!shown) {
      REQUIRE(shown.error() == errc::would_block);
      on.settle();
      REQUIRE(peek(on));  // consume() alone has told it
      continue;
    }
    const std::size_t size = (shown->size() + 1) / 2;
    got += shown->substr(0, size);
    on.near->consume(size);
  }
  CHECK(got == text);
  on.settle();
  CHECK(written);
  CHECK(peek_error(on) == errc::would_block);
}

void peek_peer_finished(stream_exercise& on) {
  if (!on.row().peeks || on.row().peer_holds_finish) return;
  on.send(*on.far, "the end");
  CHECK_FALSE(on.finish(*on.far).error());
  on.settle();
  CHECK(peek(on) == "the end");
  on.near->consume(7);

  CHECK(peek_error(on) == errc::eof);
  CHECK(peek_error(on) == errc::eof);
  CHECK(on.read(*on.near).error() == errc::eof);
}

/// Whoever only peeks learns of both ends.
void peek_closed(stream_exercise& on) {
  if (!on.row().peeks || on.row().peer_holds_finish) return;
  on.send(*on.far, "the end");
  on.finish(*on.near);
  on.finish(*on.far);
  on.settle();
  const auto closed = on.start_wait_closed(*on.near);
  CHECK(peek(on) == "the end");
  on.near->consume(7);
  CHECK(peek_error(on) == errc::eof);

  CHECK(on.complete(closed).is_done());
}

void peek_we_reset(stream_exercise& on) {
  if (!on.row().peeks) return;
  on.send(*on.far, "unread");
  on.settle();
  on.near->reset(3);

  CHECK(peek_error(on) == errc::closed);
}

void peek_connection_gone(stream_exercise& on) {
  if (!on.row().peeks) return;
  on.send(*on.far, "kept");
  on.settle();
  const auto cause = on.of().lose();
  if (!cause) return;
  on.settle();
  CHECK(peek(on) == "kept");
  on.near->consume(4);

  CHECK(peek_error(on) == *cause);
  CHECK(on.read(*on.near).error() == *cause);
}

void nothing(stream_exercise& on) {
  if (!on.row().tries) return;
  std::string none;

  CHECK(try_read(on, none) == 0);
  CHECK(on.near->try_write_some(asio::buffer(none)) == 0);
}

constexpr std::string_view read_row = "try_read_some";
constexpr std::string_view write_row = "try_write_some";
constexpr std::string_view peek_row = "try_peek";

constexpr std::array cells{
    conformance_case{read_row, "open", read_open},
    conformance_case{read_row, "peer finished", read_peer_finished},
    conformance_case{read_row, "we reset", read_we_reset},
    conformance_case{read_row, "connection gone", read_connection_gone},
    conformance_case{write_row, "open", write_open},
    conformance_case{write_row, "open, until it is full", write_until_full},
    conformance_case{write_row, "we finished", write_we_finished},
    conformance_case{peek_row, "open", peek_open},
    conformance_case{peek_row, "open, in a handler", peek_in_handler},
    conformance_case{peek_row, "open, more than the carrier holds", peek_pages},
    conformance_case{peek_row, "peer finished", peek_peer_finished},
    conformance_case{peek_row, "both finished", peek_closed},
    conformance_case{peek_row, "we reset", peek_we_reset},
    conformance_case{peek_row, "connection gone", peek_connection_gone},
    conformance_case{"both", "empty buffers", nothing},
};

}  // namespace

std::span<const conformance_case> try_conformance() { return cells; }

}  // namespace strata::testkit
