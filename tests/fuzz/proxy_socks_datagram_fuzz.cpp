// SPDX-License-Identifier: Apache-2.0
// Datagrams of SOCKS5: what is decoded can be written, and is read again as it was; cut short
// within its header it is none.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "strata/proxy/core/socks_datagram.hpp"

using namespace strata;
using namespace strata::proxy::core;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const auto packet = std::as_bytes(std::span(input, size));
  const auto read = decode_socks_datagram(packet);
  if (!read) return 0;
  check(read->where.is_valid());
  check(read->payload.empty() ||
        read->payload.data() + read->payload.size() == packet.data() + size);
  const std::size_t header = size - read->payload.size();
  check(header <= socks_datagram::max_header_size);
  for (std::size_t cut = 0; cut < header; ++cut) check(!decode_socks_datagram(packet.first(cut)));
  std::array<std::byte, socks_datagram::max_header_size> memory{};
  const std::size_t written = encode_socks_datagram_header(read->where, memory);
  check(written != 0);
  const auto again = decode_socks_datagram(std::span(memory).first(written));
  check(again && again->where == read->where && again->payload.empty());
  return 0;
}
