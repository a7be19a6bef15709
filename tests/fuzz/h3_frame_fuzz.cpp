// SPDX-License-Identifier: Apache-2.0
// Frames and SETTINGS: whatever the split, the same frames come out, and a parsed SETTINGS survives
// being written.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/frame/frame_reader.hpp"
#include "core/frame/frame_rules.hpp"
#include "core/frame/settings_frame.hpp"
#include "strata/transport/core/buffer_reader.hpp"

using namespace strata::h3;
using namespace strata::h3::core;
using strata::transport::bytes;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

struct seen {
  std::uint64_t headers = 0;
  std::uint64_t types = 0;
  std::uint64_t payload = 0;
  bool clean = true;
  bool operator==(const seen&) const = default;
};

seen read_all(bytes stream, std::size_t step) {
  frame_reader reader;
  seen result;
  while (!stream.empty()) {
    bytes piece = stream.first(std::min(step, stream.size()));
    stream = stream.subspan(piece.size());
    while (true) {
      if (!reader.in_payload()) {
        if (!reader.read_header(piece)) break;
        ++result.headers;
        result.types = result.types * 31 + reader.type();
        (void)rule_for_frame(reader.type(), frame_stream::request, role::client);
        (void)rule_for_frame(reader.type(), frame_stream::control, role::server);
      }
      const std::size_t size = reader.payload_of(piece).size();
      result.payload += size;
      piece = piece.subspan(size);
      reader.took(size);
      if (reader.in_payload()) break;
    }
  }
  result.clean = reader.between_frames();
  return result;
}

void check_settings(bytes payload) {
  const auto parsed = parse_settings(payload);
  if (!parsed) return;
  std::vector<std::byte> frame;
  append_settings_frame(frame, *parsed, payload.size());
  strata::transport::buffer_reader reader(frame);
  check(reader.varint() == 4);
  check(parse_settings(reader.take_varint_prefixed()) == *parsed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const bytes stream = std::as_bytes(std::span(input, size));
  const seen whole = read_all(stream, stream.size() + 1);
  check(whole == read_all(stream, 1));
  check(whole == read_all(stream, 7));
  check_settings(stream);
  return 0;
}
