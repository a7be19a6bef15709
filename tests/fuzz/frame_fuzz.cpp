// SPDX-License-Identifier: Apache-2.0
// A packet's payload: every frame that decodes keeps its promises and survives being encoded again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/wire/frame.hpp"

namespace {

using namespace strata;
using namespace strata::quic::core;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_ack(const ack_frame& ack) {
  std::uint64_t count = 0, previous_smallest = 0, acknowledged_below = 0;
  ack.for_each_range([&](std::uint64_t smallest, std::uint64_t largest) {
    require(smallest <= largest && largest <= ack.largest_acknowledged);
    if (count == 0) require(largest == ack.largest_acknowledged);
    if (count != 0) require(largest + 2 <= previous_smallest);
    previous_smallest = smallest;
    acknowledged_below = largest;
    ++count;
  });
  require(count == ack.range_count + 1);
  require(acknowledged_below >= previous_smallest);
}

void check_again(const frame& first) {
  std::vector<std::byte> memory(encoded_size(first));
  transport::buffer_writer writer(memory);
  encode(first, writer);
  require(writer.ok() && writer.size() == memory.size());
  transport::buffer_reader reader{transport::bytes(memory)};
  const auto second = decode_frame(reader);
  require(second.has_value() && reader.empty());
  require(second->index() == first.index() && type_of(*second) == type_of(first));
  std::vector<std::byte> again(encoded_size(*second));
  transport::buffer_writer again_writer(again);
  encode(*second, again_writer);
  require(again_writer.ok() && again == memory);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  transport::buffer_reader reader(std::as_bytes(std::span(input, size)));
  while (!reader.empty()) {
    const std::size_t before = reader.remaining();
    const auto decoded = decode_frame(reader);
    if (!decoded) {
      require(decoded.error().code == quic::transport_error::frame_encoding_error ||
              decoded.error().code == quic::transport_error::protocol_violation);
      require(*decoded.error().reason != '\0');
      break;
    }
    require(reader.ok() && reader.remaining() < before);
    // STREAM frames without length grow by it, others at most lose needless bytes.
    require(encoded_size(*decoded) <= before - reader.remaining() + 4);
    require(frame_name(type_of(*decoded)) != "unknown");
    require(is_allowed(type_of(*decoded), packet_type::one_rtt));
    if (const auto* ack = std::get_if<ack_frame>(&*decoded)) check_ack(*ack);
    check_again(*decoded);
  }
  return 0;
}
