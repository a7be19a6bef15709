// SPDX-License-Identifier: Apache-2.0
// Input: CRYPTO frames of offset (2), size (1), against a model that keeps every byte; and the
// filter of TLS messages after the handshake, cut at the same places.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/connection/crypto_stream.hpp"
#include "core/crypto/post_handshake_filter.hpp"
#include "strata/quic/core/limits.hpp"

namespace {

using namespace strata;
using namespace strata::quic::core;

void require(bool holds) {
  if (!holds) std::abort();
}

std::byte octet_at(std::uint64_t offset) {
  return static_cast<std::byte>(offset * 7 + (offset >> 8));
}

void reassemble(transport::buffer_reader reader) {
  crypto_stream stream;
  std::vector<bool> known(1 << 17);
  std::uint64_t consumed = 0;
  while (!reader.empty()) {
    const std::uint64_t offset = reader.u16();
    const std::size_t size = reader.u8();
    if (!reader.ok()) return;
    std::vector<std::byte> content(size);
    for (std::size_t i = 0; i < size; ++i) content[i] = octet_at(offset + i);
    if (!stream.on({offset, content})) return;
    for (std::size_t i = 0; i < size; ++i) known[offset + i] = true;
    const auto readable = stream.readable();
    for (std::size_t i = 0; i < readable.size(); ++i) {
      require(known[consumed + i]);
      require(readable[i] == octet_at(consumed + i));
    }
    require(!known[consumed + readable.size()]);
    if (offset % 3 == 0) {
      stream.consume(readable.size());
      consumed += readable.size();
    }
  }
}

/// However the bytes are cut, the verdict is one.
void filter(transport::bytes input) {
  for (const bool client : {true, false}) {
    post_handshake_filter whole(client), crumbs(client);
    const bool refused = whole.check(input).has_value();
    bool refused_in_crumbs = false;
    for (std::size_t i = 0; i < input.size() && !refused_in_crumbs; ++i)
      refused_in_crumbs = crumbs.check(input.subspan(i, 1)).has_value();
    require(refused == refused_in_crumbs);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const transport::bytes input(reinterpret_cast<const std::byte*>(data), size);
  reassemble(transport::buffer_reader(input));
  filter(input);
  return 0;
}
