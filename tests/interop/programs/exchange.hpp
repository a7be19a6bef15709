// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "strata/transport/stream.hpp"

namespace strata::interop {

/// What every program of this suite sends: byte i of a repeated block of block_size bytes is
/// (31 i + i / 251) modulo 256.
constexpr std::size_t block_size = 65521;
constexpr std::size_t digest_size = 32;
constexpr std::string_view greeting = "220 interop\r\n";

std::string pattern(std::size_t size);
/// SHA-256 of the first `size` bytes of the pattern.
std::string pattern_digest(std::uint64_t size);
std::string big_endian(std::uint64_t value);

/// What a library cannot do by its nature; programs end with exit_unsupported for it.
struct unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};
constexpr int exit_unsupported = 127;

struct received {
  std::uint64_t bytes = 0;
  std::string digest;
  std::error_code end;  ///< None when the limit was reached.
};

asio::awaitable<void> write_text(transport::stream& to, std::string_view text);
asio::awaitable<void> write_pattern(transport::stream& to, std::uint64_t size);
/// Until the end of the stream, or `limit`.
asio::awaitable<received> read_all(transport::stream& from, std::uint64_t limit = UINT64_MAX);
/// Exactly so many bytes; throws at an earlier end.
asio::awaitable<std::string> read_text(transport::stream& from, std::size_t size);

/// Answers one stream: README.md has the orders. `close` is what 'G' asks for.
asio::awaitable<void> serve(transport::stream& stream, const std::function<void()>& close);

}  // namespace strata::interop
