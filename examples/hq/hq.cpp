// SPDX-License-Identifier: Apache-2.0
#include "hq/hq.hpp"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <vector>

#include "strata/transport/core/error.hpp"

namespace hq {
namespace {

using namespace strata;
using asio::use_awaitable;
using stream_pointer = std::unique_ptr<quic::stream>;
using root_pointer = std::shared_ptr<const h3::document_root>;

constexpr std::size_t max_request = 4096;
constexpr std::size_t chunk_size = 64 * 1024;
constexpr std::uint64_t not_found = 1;

/// The path in a request line; empty when it is none. It reads to the end: a client that is told to
/// stop while it ends its request may take that for a failure.
asio::awaitable<std::string> read_path(quic::stream& stream) {
  std::string line;
  std::error_code error;
  auto buffer = asio::dynamic_buffer(line, max_request);
  auto token = asio::redirect_error(use_awaitable, error);
  co_await asio::async_read(stream, buffer, token);
  const std::size_t end = line.find_first_of("\r\n");
  if (!line.starts_with("GET ") || end == std::string::npos) co_return std::string();
  co_return line.substr(4, end - 4);
}

asio::awaitable<void> answer(stream_pointer stream, root_pointer root) {
  const std::string path = co_await read_path(*stream);
  const auto file = root->find(path);
  if (!file) {
    stream->reset(not_found);
    co_return;
  }
  std::vector<std::byte> chunk(chunk_size);
  std::error_code error;
  auto token = asio::redirect_error(use_awaitable, error);
  for (std::uint64_t sent = 0; sent < file->size() && !error;) {
    const auto got = file->read(sent, chunk);
    if (!got || *got == 0) co_return;  // the handle's destructor resets the stream
    sent += *got;
    const auto buffer = asio::buffer(chunk.data(), *got);
    co_await asio::async_write(*stream, buffer, token);
  }
  if (!error) co_await stream->async_finish(token);
}

}  // namespace

asio::awaitable<void> serve(quic::connection connection, root_pointer root) {
  for (;;) {
    std::error_code error;
    auto token = asio::redirect_error(use_awaitable, error);
    stream_pointer stream = co_await connection.async_accept_stream(true, token);
    if (error) co_return;
    auto answering = answer(std::move(stream), root);
    asio::co_spawn(connection.get_executor(), std::move(answering), asio::detached);
  }
}

asio::awaitable<void> fetch(quic::connection& connection, std::string path,
                            std::function<void(std::string_view)> sink) {
  const stream_pointer stream = co_await connection.async_open_stream(true, use_awaitable);
  const std::string line = "GET " + path + "\r\n";
  const auto request = asio::buffer(line);
  co_await asio::async_write(*stream, request, use_awaitable);
  co_await stream->async_finish(use_awaitable);
  std::vector<char> chunk(chunk_size);
  for (;;) {
    std::error_code error;
    auto token = asio::redirect_error(use_awaitable, error);
    const auto buffer = asio::buffer(chunk);
    const std::size_t size = co_await stream->async_read_some(buffer, token);
    if (error == transport::errc::eof) co_return;
    if (error) throw std::system_error(error);
    sink(std::string_view(chunk.data(), size));
  }
}

}  // namespace hq
