// SPDX-License-Identifier: Apache-2.0
// The QPACK decoder driven by operations: encoder stream pieces, field sections, cancellations, in
// any order.
#include <cstdint>
#include <cstdlib>

#include "core/qpack/decoder.hpp"

using namespace strata::h3;
using namespace strata::h3::core::qpack;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

/// Each operation is one byte (two bits of kind, six of stream) and a length-prefixed piece.
void run(bytes input) {
  const std::uint64_t capacity = std::uint64_t{1}
                                 << (5 + std::to_integer<unsigned>(input.front()) % 8);
  decoder decoder({.max_table_capacity = capacity,
                   .max_blocked_streams = 4,
                   .max_section_size = 4096,
                   .max_field_count = 50});
  field_section section;
  input = input.subspan(1);
  while (input.size() >= 2) {
    const auto operation = std::to_integer<unsigned>(input[0]);
    const std::size_t size =
        std::min<std::size_t>(std::to_integer<std::size_t>(input[1]), input.size() - 2);
    const bytes piece = input.subspan(2, size);
    input = input.subspan(2 + size);
    switch (operation & 3) {
      case 0:
      case 1:
        if (!decoder.receive(piece)) return;
        break;
      case 2:
        switch (decoder.decode(operation >> 2, piece, section)) {
          case decode_outcome::failed: return;
          case decode_outcome::decoded:
            check(section.field_section_size() <= 4096 && section.size() <= 50);
            for (const field_line line : section)
              check(line.id == find_known_field(line.name) && line.value.size() <= 4096);
            break;
          default: break;
        }
        break;
      default: decoder.cancel(operation >> 2); break;
    }
    check(decoder.table().size() <= capacity && decoder.blocked_streams() <= 4);
    if ((operation & 0x80) != 0) decoder.sent(decoder.output().size() / 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size > 0) run(std::as_bytes(std::span(input, size)));
  return 0;
}
