// SPDX-License-Identifier: Apache-2.0
#include "socks5/socks5.hpp"

#include <algorithm>
#include <array>
#include <asio/as_tuple.hpp>
#include <asio/buffer.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <memory>
#include <utility>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/socks_address.hpp"

namespace socks5 {
namespace {

using namespace strata;
using transport::bytes;
using transport::socks_address;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr std::uint8_t version = 5;
constexpr std::uint8_t no_authentication = 0;
constexpr std::uint8_t no_acceptable_method = 0xff;

transport::target to_target(const socks_address& from) {
  return from.is_name() ? transport::target(from.name, from.port) : transport::target(from.ip);
}

socks_address to_socks(const transport::target& from) {
  return from.is_name() ? socks_address::of(from.name(), from.port())
                        : socks_address::of(from.ip());
}

/// What has come and was not taken. A greeting and a request together fit.
class input {
 public:
  explicit input(transport::stream& from) : from_(from) {}

  /// False at the end, and when the client sends more than there is to be said.
  asio::awaitable<bool> more() {
    if (end_ == memory_.size()) co_return false;
    const auto room = asio::buffer(memory_) + end_;
    const auto [error, size] = co_await from_.async_read_some(room, quietly);
    end_ += size;
    co_return !error;
  }
  bytes there() const { return bytes(memory_).subspan(begin_, end_ - begin_); }
  void take(std::size_t size) { begin_ += size; }

 private:
  transport::stream& from_;
  std::array<std::byte, 1024> memory_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

asio::awaitable<bool> send(transport::stream& to, bytes what) {
  const asio::const_buffer all(what.data(), what.size());
  const auto [error, size] = co_await asio::async_write(to, all, quietly);
  co_return !error;
}

asio::awaitable<bool> greet(transport::stream& client, input& from) {
  for (;;) {
    transport::buffer_reader reader(from.there());
    const unsigned spoken = reader.u8();
    const bytes methods = reader.take(reader.u8());
    if (!from.there().empty() && from.there()[0] != std::byte{version}) co_return false;
    if (!reader.ok()) {
      if (!co_await from.more()) co_return false;
      continue;
    }
    const bool offered = std::ranges::find(methods, std::byte{no_authentication}) != methods.end();
    from.take(2 + methods.size());
    const std::array<std::byte, 2> chosen{
        static_cast<std::byte>(spoken),
        std::byte{offered ? no_authentication : no_acceptable_method}};
    const bytes answer = chosen;
    const bool sent = co_await send(client, answer);
    co_return offered&& sent;
  }
}

/// Nothing yet, or what it asks for, or what is wrong with it.
struct parsed {
  std::optional<request> whole{};
  std::optional<reply> refusal{};
  std::size_t size = 0;
};

parsed parse_request(bytes there) {
  if (there.size() < 4) return {};
  const auto asked = std::to_integer<std::uint8_t>(there[1]);
  if (there[0] != std::byte{version}) return {.refusal = reply::general_failure};
  const auto where = transport::decode_socks_address(there.subspan(3));
  if (!where) return {.refusal = reply::address_not_supported};
  if (where->size == 0) return {};
  const auto what = static_cast<command>(asked);
  if (what != command::connect && what != command::udp_associate)
    return {.refusal = reply::command_not_supported};
  parsed made;
  made.whole.emplace(request{.asked = what, .where = to_target(where->value)});
  made.size = 3 + where->size;
  return made;
}

asio::awaitable<std::optional<request>> converse(transport::stream& client) {
  input from(client);
  if (!co_await greet(client, from)) co_return std::nullopt;
  for (;;) {
    parsed made = parse_request(from.there());
    if (made.refusal) {
      co_await async_answer(client, *made.refusal);
      co_return std::nullopt;
    }
    if (made.whole) {
      from.take(made.size);
      made.whole->early.assign(from.there().begin(), from.there().end());
      co_return std::move(made.whole);
    }
    if (!co_await from.more()) co_return std::nullopt;
  }
}

}  // namespace

asio::awaitable<std::optional<request>> async_read_request(transport::stream& client,
                                                           std::chrono::seconds limit) {
  const auto done = std::make_shared<bool>(false);
  asio::steady_timer deadline(client.get_executor(), limit);
  deadline.async_wait([&client, done](std::error_code error) {
    if (!error && !*done) client.reset(transport::stream_cancelled);
  });
  auto made = co_await converse(client);
  *done = true;
  co_return made;
}

asio::awaitable<bool> async_answer(transport::stream& client, reply what,
                                   transport::address bound) {
  std::array<std::byte, 3 + socks_address::max_encoded_size> memory;
  transport::buffer_writer writer(memory);
  writer.u8(version);
  writer.u8(static_cast<std::uint8_t>(what));
  writer.u8(0);
  if (bound == transport::address()) bound = transport::address::any_v4(0);
  transport::encode(socks_address::of(bound), writer);
  const bytes all = writer.written();
  co_return co_await send(client, all);
}

reply reply_of(const std::error_code& failure) {
  using transport::condition;
  using transport::errc;
  if (failure == errc::name_not_found) return reply::host_unreachable;
  if (failure == errc::unreachable) return reply::network_unreachable;
  if (failure == condition::refused) return reply::refused;
  if (failure == condition::timed_out) return reply::ttl_expired;
  return reply::general_failure;
}

std::optional<datagram> decode_datagram(bytes packet) {
  if (packet.size() < 3 || packet[2] != std::byte{0}) return std::nullopt;
  const auto where = transport::decode_socks_address(packet.subspan(3));
  if (!where || where->size == 0) return std::nullopt;
  return datagram{to_target(where->value), packet.subspan(3 + where->size)};
}

std::size_t encode_datagram_header(const transport::target& from,
                                   std::span<std::byte, max_datagram_header> out) {
  transport::buffer_writer writer(out);
  writer.zeros(3);
  transport::encode(to_socks(from), writer);
  return writer.ok() ? writer.size() : 0;
}

}  // namespace socks5
