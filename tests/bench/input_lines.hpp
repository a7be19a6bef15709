// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read_until.hpp>
#include <asio/use_awaitable.hpp>
#include <optional>
#include <string>

namespace strata::bench {

/// The lines of the standard input, by which whoever started this program steers it.
class input_lines {
 public:
  explicit input_lines(const asio::any_io_executor& executor)
      : input_(executor, ::dup(STDIN_FILENO)) {}

  /// Nothing at the end.
  asio::awaitable<std::optional<std::string>> next() {
    const auto source = asio::dynamic_buffer(text_);
    const auto [error, size] =
        co_await asio::async_read_until(input_, source, '\n', asio::as_tuple(asio::use_awaitable));
    if (error) co_return std::nullopt;
    std::string line = text_.substr(0, size - 1);
    text_.erase(0, size);
    co_return line;
  }

 private:
  asio::posix::stream_descriptor input_;
  std::string text_;
};

}  // namespace strata::bench
