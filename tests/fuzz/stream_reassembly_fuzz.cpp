// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <list>
#include <vector>

#include "core/stream/reassembly_buffer.hpp"
#include "strata/transport/core/buffer_reader.hpp"

// The reassembly buffer against a plain model: any pieces of a stream in any order, read in any
// sizes, with the memory of the input destroyed whenever it is released.

namespace {

using namespace strata::quic::core;
using strata::transport::bytes;

constexpr std::size_t universe = 16 * 1024;

void require(bool holds) {
  if (!holds) std::abort();
}

struct model {
  std::vector<std::byte> content = std::vector<std::byte>(universe);
  std::vector<char> arrived = std::vector<char>(universe);
  std::size_t read = 0;
  std::size_t contiguous_end = 0;

  std::size_t contiguous() {
    while (contiguous_end < universe && arrived[contiguous_end]) ++contiguous_end;
    return contiguous_end;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  strata::transport::buffer_reader input(std::as_bytes(std::span(data, size)));
  page_recycler pages{8};
  lent_views lent;
  reassembly_buffer buffer;
  model expected;
  std::list<std::vector<std::byte>> batch;
  const reassembly_buffer::memory memory{pages, lent};
  while (!input.empty()) {
    switch (input.u8() % 4) {
      case 0:
      case 1: {
        const std::size_t offset = input.u16() % universe;
        const std::size_t length =
            std::min<std::size_t>(input.u8() * std::size_t{9}, universe - offset);
        std::vector<std::byte>& piece = batch.emplace_back(length);
        // Other content each time: the first copy has to win.
        for (std::size_t i = 0; i < length; ++i)
          piece[i] = static_cast<std::byte>(i * 31 + batch.size() + input.remaining());
        const bool too_many =
            buffer.insert(memory, offset, piece) == reassembly_buffer::outcome::too_many_gaps;
        for (std::size_t i = 0; i < length; ++i) {
          if (expected.arrived[offset + i]) continue;
          expected.arrived[offset + i] = 1;
          expected.content[offset + i] = piece[i];
        }
        if (too_many) return buffer.clear(pages), 0;
        break;
      }
      case 2: {
        std::size_t most = input.u16();
        while (most != 0) {
          const bytes piece = buffer.front(lent);
          if (piece.empty()) break;
          const std::size_t taken = std::min(most, piece.size());
          require(expected.read + taken <= universe);
          require(
              std::equal(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(taken),
                         expected.content.begin() + static_cast<std::ptrdiff_t>(expected.read)));
          buffer.consume(memory, taken);
          expected.read += taken;
          most -= taken;
        }
        break;
      }
      default:
        buffer.settle(memory);
        lent.clear();
        for (auto& gone : batch) std::ranges::fill(gone, std::byte{0xdd});
        batch.clear();
        break;
    }
    require(buffer.contiguous_end() == expected.contiguous());
    require(buffer.pages_held() <= universe / page_recycler::page_size);
    require(buffer.gaps() <= limits::max_reassembly_gaps);
  }
  buffer.clear(pages);
  return 0;
}
