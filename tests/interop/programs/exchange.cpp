// SPDX-License-Identifier: Apache-2.0
#include "interop/programs/exchange.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <asio/as_tuple.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <memory>
#include <stdexcept>
#include <vector>

#include "strata/transport/core/error.hpp"

namespace strata::interop {
namespace {

using asio::use_awaitable;

constexpr auto quietly = asio::as_tuple(use_awaitable);
constexpr std::size_t read_size = 128 * 1024;
constexpr std::size_t reset_after = 1000;
constexpr std::uint64_t reset_code = 7;

class digest {
 public:
  digest() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string value() {
    std::string sum(digest_size, '\0');
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(sum.data()), nullptr);
    return sum;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(),
                                                                   &EVP_MD_CTX_free};
};

const std::string& block() {
  static const std::string bytes = [] {
    std::string made(block_size, '\0');
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>(31 * i + i / 251);
    return made;
  }();
  return bytes;
}

std::uint64_t number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char each : bytes) value = value << 8 | static_cast<unsigned char>(each);
  return value;
}

asio::awaitable<void> echo(transport::stream& stream, std::uint64_t limit) {
  std::vector<std::byte> memory(read_size);
  while (limit != 0) {
    const auto room = asio::buffer(memory.data(), std::min<std::uint64_t>(limit, memory.size()));
    const auto [error, size] = co_await stream.async_read_some(room, quietly);
    if (error == transport::errc::eof) break;
    if (error) throw std::system_error(error);
    const auto piece = asio::buffer(memory.data(), size);
    co_await asio::async_write(stream, piece, use_awaitable);
    limit -= size;
  }
  co_await stream.async_finish(use_awaitable);
}

asio::awaitable<void> tell_sum(transport::stream& stream, std::uint64_t limit) {
  const received got = co_await read_all(stream, limit);
  if (got.end && got.end != transport::errc::eof) throw std::system_error(got.end);
  const std::string answer = big_endian(got.bytes) + got.digest;
  co_await write_text(stream, answer);
  co_await stream.async_finish(use_awaitable);
}

}  // namespace

std::string pattern(std::size_t size) {
  std::string made;
  while (made.size() < size) made += block().substr(0, size - made.size());
  return made;
}

std::string pattern_digest(std::uint64_t size) {
  digest sum;
  for (std::uint64_t left = size; left != 0;) {
    const std::size_t piece = std::min<std::uint64_t>(left, block_size);
    sum.add(block().data(), piece);
    left -= piece;
  }
  return sum.value();
}

std::string big_endian(std::uint64_t value) {
  std::string bytes(8, '\0');
  for (std::size_t i = bytes.size(); i-- != 0; value >>= 8) bytes[i] = static_cast<char>(value);
  return bytes;
}

asio::awaitable<void> write_text(transport::stream& to, std::string_view text) {
  const auto buffer = asio::buffer(text);
  co_await asio::async_write(to, buffer, use_awaitable);
}

asio::awaitable<void> write_pattern(transport::stream& to, std::uint64_t size) {
  for (std::uint64_t left = size; left != 0;) {
    const auto piece = asio::buffer(block().data(), std::min<std::uint64_t>(left, block_size));
    co_await asio::async_write(to, piece, use_awaitable);
    left -= piece.size();
  }
}

asio::awaitable<received> read_all(transport::stream& from, std::uint64_t limit) {
  received got;
  digest sum;
  std::vector<std::byte> memory(read_size);
  while (got.bytes != limit && !got.end) {
    const auto room =
        asio::buffer(memory.data(), std::min<std::uint64_t>(limit - got.bytes, memory.size()));
    const auto [error, size] = co_await from.async_read_some(room, quietly);
    sum.add(memory.data(), size);
    got.bytes += size;
    got.end = error;
  }
  got.digest = sum.value();
  co_return got;
}

asio::awaitable<std::string> read_text(transport::stream& from, std::size_t size) {
  std::string text(size, '\0');
  const auto room = asio::buffer(text);
  co_await asio::async_read(from, room, use_awaitable);
  co_return text;
}

asio::awaitable<void> serve(transport::stream& stream, const std::function<void()>& close) {
  const std::string order = co_await read_text(stream, 1);
  const bool counted = order == "N" || order == "U" || order == "D";
  std::uint64_t size = UINT64_MAX;
  if (counted) {
    const std::string count = co_await read_text(stream, 8);
    size = number(count);
  }
  if (order == "E" || order == "N") {
    co_await echo(stream, size);
  } else if (order == "U" || order == "H") {
    co_await tell_sum(stream, size);
  } else if (order == "D") {
    co_await write_pattern(stream, size);
    co_await stream.async_finish(use_awaitable);
  } else if (order == "R") {
    co_await write_pattern(stream, reset_after);
    stream.reset(reset_code);
  } else if (order == "C") {
    throw unsupported("a stream over WebSocket closes with 1000 only");
  } else if (order == "G") {
    close();
  } else {
    throw std::runtime_error("an unknown order");
  }
}

}  // namespace strata::interop
