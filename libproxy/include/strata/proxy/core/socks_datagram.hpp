// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "strata/proxy/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// A datagram of a SOCKS5 association (RFC 1928 section 7).
struct socks_datagram {
  static constexpr std::size_t max_header_size = 3 + 1 + 1 + 255 + 2;

  transport::target where;   ///< To the proxy: where it goes; from it: where it came from.
  transport::bytes payload;  ///< A view into what was decoded.
};

/// Nothing for one that is malformed, and for a fragment: reassembling them is optional and makes
/// memory grow for nobody (RFC 1928 section 7).
STRATA_PROXY_API std::optional<socks_datagram> decode_socks_datagram(transport::bytes packet);
/// How many bytes of `out` the header has; zero for a target that cannot be written.
STRATA_PROXY_API std::size_t encode_socks_datagram_header(
    const transport::target& where, std::span<std::byte, socks_datagram::max_header_size> out);

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
