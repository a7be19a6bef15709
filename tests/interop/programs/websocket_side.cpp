// SPDX-License-Identifier: Apache-2.0
#include "interop/programs/websocket_side.hpp"

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "bench/lane_group.hpp"
#include "interop/programs/exchange.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/websocket_stream.hpp"

namespace strata::interop {
namespace {

using asio::use_awaitable;
using stream_pointer = std::unique_ptr<transport::websocket_stream>;

constexpr auto quietly = asio::as_tuple(use_awaitable);
constexpr std::array<std::size_t, 8> sizes{1, 125, 126, 65535, 65536, 65537, 1'000'000, 10'000'000};
constexpr std::uint64_t bulk = 100'000'000;
constexpr std::size_t small = 1000;
constexpr auto silence = std::chrono::seconds(2);
constexpr std::string_view subprotocol = "interop.strata";
constexpr std::uint16_t websocket_normal = 1000;
constexpr std::uint16_t close_code = 4001;

void demand(bool holds, const char* otherwise) {
  if (!holds) throw std::runtime_error(otherwise);
}

asio::awaitable<void> answer(transport::websocket_stream& stream) {
  try {
    const std::function<void()> nothing = [] {};
    co_await serve(stream, nothing);
  } catch (const std::system_error& thrown) {
    std::fprintf(stderr, "a WebSocket ended: %s\n", thrown.what());
  }
}

asio::awaitable<void> serve_one(std::unique_ptr<transport::stream> carrier,
                                transport::websocket_options options) {
  try {
    const stream_pointer stream = co_await transport::async_websocket_handshake(
        std::move(carrier), transport::websocket_role::server, options, use_awaitable);
    co_await answer(*stream);
    co_await stream->async_wait_closed(quietly);
    const transport::websocket_close* close = stream->closed();
    const bool faulty = close == nullptr || close->cause == transport::errc::truncated ||
                        close->cause == transport::errc::protocol_error;
    std::printf("{\"event\":\"closed\",\"clean\":%s,\"code\":%d}\n", faulty ? "false" : "true",
                close == nullptr ? 0 : close->code);
    std::fflush(stdout);
  } catch (const unsupported& thrown) {
    std::fprintf(stderr, "unsupported: %s\n", thrown.what());
    std::exit(exit_unsupported);
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "a WebSocket failed: %s\n", thrown.what());
  }
}

asio::awaitable<void> write_sizes(transport::stream& stream) {
  for (const std::size_t size : sizes) co_await write_pattern(stream, size);
}

asio::awaitable<void> read_sizes(transport::stream& stream) {
  for (const std::size_t size : sizes) {
    const received got = co_await read_all(stream, size);
    demand(got.bytes == size && got.digest == pattern_digest(size), "the echo differs");
  }
}

asio::awaitable<void> expect_end(transport::websocket_stream& stream, std::uint16_t code) {
  const received rest = co_await read_all(stream);
  const bool orderly = rest.end == transport::errc::eof;
  demand(rest.bytes == 0 && orderly == (code == websocket_normal), "another end than expected");
  demand(stream.closed() == nullptr || stream.closed()->code == code, "another close code");
  co_await stream.async_finish(quietly);
  co_await stream.async_wait_closed(quietly);
  demand(stream.closed() != nullptr && stream.closed()->code == code, "another close code");
}

asio::awaitable<void> echo(transport::websocket_stream& stream) {
  std::uint64_t total = 0;
  for (const std::size_t size : sizes) total += size;
  const std::string order = "N" + big_endian(total);
  co_await write_text(stream, order);
  bench::lane_group lanes(stream.get_executor());
  lanes.add(write_sizes(stream));
  lanes.add(read_sizes(stream));
  co_await lanes.wait();
  co_await expect_end(stream, websocket_normal);
}

asio::awaitable<void> upload(transport::websocket_stream& stream) {
  const std::string order = "U" + big_endian(bulk);
  co_await write_text(stream, order);
  co_await write_pattern(stream, bulk);
  const std::string answer = co_await read_text(stream, 8 + digest_size);
  demand(answer == big_endian(bulk) + pattern_digest(bulk), "the server sums otherwise");
  co_await expect_end(stream, websocket_normal);
}

asio::awaitable<void> download(transport::websocket_stream& stream) {
  const std::string order = "D" + big_endian(bulk);
  co_await write_text(stream, order);
  const received got = co_await read_all(stream, bulk);
  demand(got.bytes == bulk && got.digest == pattern_digest(bulk), "the bytes differ");
  co_await expect_end(stream, websocket_normal);
}

asio::awaitable<void> idle(transport::websocket_stream& stream) {
  const std::string order = "N" + big_endian(small);
  co_await write_text(stream, order);
  asio::steady_timer timer(stream.get_executor(), silence);
  co_await timer.async_wait(use_awaitable);
  co_await write_pattern(stream, small);
  const received got = co_await read_all(stream, small);
  demand(got.digest == pattern_digest(small), "the echo differs");
  co_await expect_end(stream, websocket_normal);
}

asio::awaitable<void> server_code(transport::websocket_stream& stream) {
  const std::string order = "C" + big_endian(close_code);
  co_await write_text(stream, order);
  co_await expect_end(stream, close_code);
}

asio::awaitable<void> with_subprotocol(transport::websocket_stream& stream) {
  demand(stream.subprotocol() == subprotocol, "the server chose another subprotocol");
  co_await echo(stream);
}

using scenario_function = asio::awaitable<void> (*)(transport::websocket_stream&);

const std::map<std::string_view, scenario_function>& scenarios() {
  static const std::map<std::string_view, scenario_function> known{
      {"messages", echo},          {"fragments", echo}, {"subprotocol", with_subprotocol},
      {"bulk-upload", upload},     {"pings", idle},     {"server-code", server_code},
      {"bulk-download", download},
  };
  return known;
}

}  // namespace

asio::awaitable<void> serve_websockets(const transport::address& where,
                                       std::chrono::milliseconds keep_alive) {
  const auto executor = co_await asio::this_coro::executor;
  auto carriers = transport::tcp_listener::listen(executor, where);
  if (!carriers) throw std::system_error(carriers.error());
  std::printf("listening on %s\n", (*carriers)->local_address().string().c_str());
  std::fflush(stdout);
  transport::websocket_options options;
  options.connection.keepalive = keep_alive;
  for (;;) {
    auto carrier = co_await (*carriers)->async_accept(use_awaitable);
    asio::co_spawn(executor, serve_one(std::move(carrier), options), asio::detached);
  }
}

asio::awaitable<void> visit_websocket(const transport::target& where, std::string_view scenario,
                                      std::chrono::milliseconds keep_alive) {
  if (scenario == "client-code") {
    throw unsupported("a stream over WebSocket closes with 1000 only, and after the server");
  }
  const auto found = scenarios().find(scenario);
  demand(found != scenarios().end(), "no such scenario");
  const auto executor = co_await asio::this_coro::executor;
  transport::tcp_dialer dialer(executor);
  auto carrier = co_await dialer.async_dial(where, use_awaitable);
  transport::websocket_options options;
  options.request.authority = "localhost";
  options.connection.keepalive = keep_alive;
  if (scenario == "subprotocol") options.request.subprotocols.emplace_back(subprotocol);
  const stream_pointer stream = co_await transport::async_websocket_handshake(
      std::move(carrier), transport::websocket_role::client, options, use_awaitable);
  co_await found->second(*stream);
}

}  // namespace strata::interop
