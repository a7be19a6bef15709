// SPDX-License-Identifier: Apache-2.0
#include "top/admin_client.hpp"

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/driver/with_timeout.hpp"
#include "strata/transport/tcp.hpp"

namespace top {
namespace {

using namespace strata;
using namespace std::chrono_literals;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr auto answer_time = 3s;
/// Of a page: some hundred thousand sessions.
constexpr std::size_t most_bytes = std::size_t{64} << 20;

using page = parsed<std::string>;

/// All that comes, head and content.
asio::awaitable<page> read_all(transport::stream& from) {
  std::string all;
  const auto memory = std::make_unique<std::array<char, 64 * 1024>>();
  for (;;) {
    const auto room = asio::buffer(*memory);
    auto reading = from.async_read_some(room);
    const auto [error, size] =
        co_await transport::with_timeout(std::move(reading), answer_time, quietly);
    if (error == transport::errc::eof) co_return all;
    if (error) co_return std::unexpected(error.message());
    all.append(memory->data(), size);
    if (all.size() > most_bytes) co_return std::unexpected("the answer has no end");
  }
}

page content_of(const std::string& answer, const std::string& path) {
  auto parser = transport::http1_head_parser::of_responses({});
  const auto head = parser.receive(transport::as_bytes(answer));
  if (!head || !parser.is_done()) return std::unexpected("that is no HTTP server");
  const auto status = parser.head().status_line().status;
  if (status != 200)
    return std::unexpected("the answer to " + path + " is " + std::to_string(status));
  std::string content = answer.substr(*head);
  const auto framing = parser.head().framing();
  if (framing.body == transport::http1_body::chunked) return std::unexpected("it sends in chunks");
  if (framing.body == transport::http1_body::length && content.size() != framing.length)
    return std::unexpected("the answer ends early");
  return content;
}

asio::awaitable<page> fetch(asio::any_io_executor executor, transport::address where,
                            std::string path) {
  transport::tcp_dialer dialer(executor);
  auto dialling = dialer.async_dial(transport::target(where));
  auto [failed, server] =
      co_await transport::with_timeout(std::move(dialling), answer_time, quietly);
  if (failed) co_return std::unexpected(failed.message());
  std::string request;
  const std::string host = where.string();
  const std::array<transport::http1_field, 2> fields{{{"Host", host}, {"Connection", "close"}}};
  if (!transport::append_http1_request(request, "GET", path, fields))
    co_return std::unexpected("it cannot be asked");
  const auto all = asio::buffer(request);
  const auto [broken, size] = co_await asio::async_write(*server, all, quietly);
  if (broken) co_return std::unexpected(broken.message());
  const page answer = co_await read_all(*server);
  if (!answer) co_return answer;
  co_return content_of(*answer, path);
}

}  // namespace

asio::awaitable<parsed<snapshot>> ask(asio::any_io_executor executor, transport::address where) {
  const page metrics = co_await fetch(executor, where, "/metrics");
  if (!metrics) co_return std::unexpected(metrics.error());
  auto made = parse_metrics(*metrics);
  if (!made) co_return made;
  const page lines = co_await fetch(executor, where, "/sessions.tsv");
  if (!lines) co_return std::unexpected(lines.error());
  auto sessions = parse_sessions(*lines);
  if (!sessions) co_return std::unexpected(sessions.error());
  made->sessions = std::move(*sessions);
  co_return made;
}

}  // namespace top
