// SPDX-License-Identifier: Apache-2.0
// The server's side of SOCKS5 (RFC 1928), without authentication.
#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/stream.hpp"
#include "strata/transport/target.hpp"

namespace socks5 {

enum class command : std::uint8_t { connect = 1, udp_associate = 3 };

/// RFC 1928 section 6.
enum class reply : std::uint8_t {
  succeeded = 0,
  general_failure = 1,
  network_unreachable = 3,
  host_unreachable = 4,
  refused = 5,
  ttl_expired = 6,
  command_not_supported = 7,
  address_not_supported = 8,
};

struct request {
  command asked = command::connect;
  strata::transport::target where{strata::transport::address()};
  /// What the client sent behind its request, without waiting for the answer.
  std::vector<std::byte> early{};
};

/// Greeting and request, within `limit`. Nothing: it was not SOCKS5, took too long or asked for
/// what is not there; what there is to be said about that was said.
asio::awaitable<std::optional<request>> async_read_request(strata::transport::stream& client,
                                                           std::chrono::seconds limit);

/// The answer to the request; false when the client is gone.
asio::awaitable<bool> async_answer(strata::transport::stream& client, reply what,
                                   strata::transport::address bound = {});

/// What the client is told of a dial that failed.
reply reply_of(const std::error_code& failure);

/// A datagram of an association (RFC 1928 section 7): the header, and the payload behind it.
struct datagram {
  strata::transport::target to;
  strata::transport::bytes payload;
};
/// Nothing for one that is malformed, or a fragment.
std::optional<datagram> decode_datagram(strata::transport::bytes packet);
inline constexpr std::size_t max_datagram_header = 3 + 1 + 1 + 255 + 2;
/// The header's size, or zero where there is no such address.
std::size_t encode_datagram_header(const strata::transport::target& from,
                                   std::span<std::byte, max_datagram_header> out);

}  // namespace socks5
