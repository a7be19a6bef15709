// SPDX-License-Identifier: Apache-2.0
#include "interop/programs/visits.hpp"

#include <asio/as_tuple.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "bench/lane_group.hpp"
#include "interop/programs/exchange.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::interop {
namespace {

using asio::use_awaitable;
using stream_pointer = std::unique_ptr<transport::stream>;

constexpr auto quietly = asio::as_tuple(use_awaitable);
constexpr std::size_t small = 1000;
constexpr std::size_t medium = 100'000;
constexpr std::uint64_t bulk = 100'000'000;
constexpr std::size_t at_once = 100;
constexpr auto silence = std::chrono::seconds(2);
constexpr auto patience = std::chrono::seconds(5);
constexpr std::uint64_t reset_code = 9;

void demand(bool holds, const char* otherwise) {
  if (!holds) throw std::runtime_error(otherwise);
}

asio::awaitable<stream_pointer> open(transport::connection& connection, std::string_view order) {
  auto stream = co_await connection.async_open_stream(use_awaitable);
  co_await write_text(*stream, order);
  co_return stream;
}

asio::awaitable<void> expect_echo(transport::stream& stream, std::size_t size) {
  const std::string sent = pattern(size);
  co_await write_text(stream, sent);
  const std::string back = co_await read_text(stream, size);
  demand(back == sent, "the echo differs");
}

asio::awaitable<void> expect_end(transport::stream& stream) {
  const received rest = co_await read_all(stream);
  demand(rest.end == transport::errc::eof && rest.bytes == 0, "no end after the last byte");
}

asio::awaitable<void> echo_once(transport::connection& connection, std::size_t size) {
  auto stream = co_await open(connection, "E");
  co_await write_pattern(*stream, size);
  co_await stream->async_finish(use_awaitable);
  const received back = co_await read_all(*stream);
  demand(back.end == transport::errc::eof, "the stream did not end in order");
  demand(back.bytes == size && back.digest == pattern_digest(size), "the echo differs");
}

asio::awaitable<void> echo(transport::connection& connection) {
  co_await echo_once(connection, small);
}

asio::awaitable<void> many(transport::connection& connection) {
  bench::lane_group lanes(co_await asio::this_coro::executor);
  for (std::size_t i = 0; i < at_once; ++i) lanes.add(echo_once(connection, medium));
  co_await lanes.wait();
}

asio::awaitable<void> expect_sum(transport::stream& stream, std::uint64_t size) {
  co_await write_pattern(stream, size);
  co_await stream.async_finish(use_awaitable);
  const std::string answer = co_await read_text(stream, 8 + digest_size);
  demand(answer == big_endian(size) + pattern_digest(size), "the server counts or sums otherwise");
  co_await expect_end(stream);
}

asio::awaitable<void> upload(transport::connection& connection) {
  const std::string order = "U" + big_endian(bulk);
  auto stream = co_await open(connection, order);
  co_await expect_sum(*stream, bulk);
}

asio::awaitable<void> download(transport::connection& connection) {
  const std::string order = "D" + big_endian(bulk);
  auto stream = co_await open(connection, order);
  co_await stream->async_finish(use_awaitable);
  const received got = co_await read_all(*stream);
  demand(got.end == transport::errc::eof, "the stream did not end in order");
  demand(got.bytes == bulk && got.digest == pattern_digest(bulk), "the bytes differ");
}

asio::awaitable<void> half_close(transport::connection& connection) {
  auto stream = co_await open(connection, "H");
  co_await expect_sum(*stream, medium * 3);
}

asio::awaitable<void> reset_by_server(transport::connection& connection) {
  auto stream = co_await open(connection, "R");
  const received got = co_await read_all(*stream);
  demand(got.end == transport::errc::stream_reset, "the stream was not reset");
  demand(got.bytes <= small, "too many bytes before the reset");
  co_await echo_once(connection, small);
}

asio::awaitable<void> reset_by_client(transport::connection& connection) {
  auto stream = co_await open(connection, "E");
  co_await expect_echo(*stream, small);
  stream->reset(reset_code);
  co_await echo_once(connection, small);
}

asio::awaitable<void> server_first(transport::connection& connection) {
  auto stream = co_await connection.async_open_stream(use_awaitable);
  const std::string words = co_await read_text(*stream, greeting.size());
  demand(words == greeting, "another greeting");
  co_await write_text(*stream, "E");
  co_await expect_echo(*stream, small);
  co_await stream->async_finish(use_awaitable);
  co_await expect_end(*stream);
}

asio::awaitable<void> idle(transport::connection& connection) {
  auto stream = co_await open(connection, "E");
  co_await expect_echo(*stream, small);
  asio::steady_timer timer(co_await asio::this_coro::executor, silence);
  co_await timer.async_wait(use_awaitable);
  co_await expect_echo(*stream, small);
  co_await stream->async_finish(use_awaitable);
  co_await expect_end(*stream);
  co_await echo_once(connection, small);
}

asio::awaitable<void> server_closes(transport::connection& connection) {
  co_await echo_once(connection, small);
  auto stream = co_await open(connection, "G");
  const auto [error, reason] = co_await connection.async_wait_closed(quietly);
  demand(!error && reason->origin != transport::close_reason::origin_kind::local_protocol,
         "the end was taken for an error");
  const auto [refusal, none] = co_await connection.async_open_stream(quietly);
  demand(static_cast<bool>(refusal), "a stream was opened on a closed connection");
}

asio::awaitable<void> client_closes(transport::connection& connection) {
  co_await echo_once(connection, small);
  co_await connection.async_shutdown(patience, 0, use_awaitable);
}

using scenario = asio::awaitable<void> (*)(transport::connection&);

const std::map<std::string_view, scenario>& scenarios() {
  static const std::map<std::string_view, scenario> known{
      {"echo", echo},
      {"many", many},
      {"upload", upload},
      {"download", download},
      {"half-close", half_close},
      {"server-resets", reset_by_server},
      {"client-resets", reset_by_client},
      {"server-first", server_first},
      {"idle", idle},
      {"server-closes", server_closes},
      {"client-closes", client_closes},
  };
  return known;
}

}  // namespace

asio::awaitable<void> visit(transport::connection& connection, std::string_view scenario) {
  const auto found = scenarios().find(scenario);
  demand(found != scenarios().end(), "no such scenario");
  co_await found->second(connection);
}

}  // namespace strata::interop
