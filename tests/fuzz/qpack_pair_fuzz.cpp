// SPDX-License-Identifier: Apache-2.0
// Input: field lines of name size (1), value size (1) and text. What the encoder writes the decoder
// reads back, line for line, or refuses for its size alone; and what the decoder says the encoder
// bears.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/field/section_checker.hpp"
#include "core/qpack/decoder.hpp"
#include "core/qpack/encoder.hpp"
#include "strata/transport/core/buffer_reader.hpp"

namespace {

using namespace strata;
using namespace strata::h3;
using namespace strata::h3::core;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  transport::buffer_reader reader(transport::bytes(reinterpret_cast<const std::byte*>(data), size));
  std::vector<field_line> lines;
  while (!reader.empty() && lines.size() < 250) {
    const std::size_t name = reader.u8(), value = reader.u8();
    const auto name_text = transport::as_text(reader.take(std::min(name, reader.remaining())));
    const auto value_text = transport::as_text(reader.take(std::min(value, reader.remaining())));
    if (!reader.ok()) break;
    lines.push_back({name_text, value_text});
  }
  std::vector<std::byte> encoded;
  qpack::encoder encoder;
  encoder.encode(0, lines, encoded);
  qpack::decoder decoder({.max_table_capacity = 4096,
                          .max_blocked_streams = 4,
                          .max_section_size = 32 * 1024,
                          .max_field_count = 200});
  field_section section;
  const auto outcome = decoder.decode(0, encoded, section);
  require(outcome == qpack::decode_outcome::decoded || outcome == qpack::decode_outcome::too_large);
  if (outcome == qpack::decode_outcome::decoded) {
    require(section.size() == lines.size());
    std::size_t at = 0;
    for (const field_line line : section) {
      require(line.name == lines[at].name && line.value == lines[at].value);
      ++at;
    }
    for (const auto kind :
         {section_kind::request, section_kind::response, section_kind::trailers}) {
      const char* const once = section_checker(kind).check_all(section);
      require(once == section_checker(kind).check_all(section));
    }
  }
  require(encoder.receive(decoder.output()));
  // Whatever a peer says on its decoder stream is borne or refused.
  static_cast<void>(
      encoder.receive(transport::bytes(reinterpret_cast<const std::byte*>(data), size)));
  return 0;
}
