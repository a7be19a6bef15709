// SPDX-License-Identifier: Apache-2.0
// The first byte tells the sender's role, the rest is the extension.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "strata/quic/core/transport_parameters.hpp"

namespace {

using namespace strata;
using namespace strata::quic::core;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const auto sender = input[0] & 1 ? quic::role::server : quic::role::client;
  const transport::bytes content = std::as_bytes(std::span(input + 1, size - 1));
  const auto decoded = decode_transport_parameters(content, sender);
  if (!decoded) {
    require(decoded.error().code == quic::transport_error::transport_parameter_error);
    return 0;
  }
  require(decoded->max_udp_payload_size >= 1200 && decoded->ack_delay_exponent <= 20);
  require(decoded->max_ack_delay < (1 << 14) && decoded->active_connection_id_limit >= 2);
  if (sender == quic::role::client) {
    require(!decoded->stateless_reset_token && !decoded->preferred_address);
    require(!decoded->original_destination_connection_id && !decoded->retry_source_connection_id);
  }
  std::vector<std::byte> memory(transport_parameters::max_encoded_size);
  transport::buffer_writer writer(memory);
  const auto grease =
      content.size() >= transport_parameters::grease_size ? content : transport::bytes{};
  encode(*decoded, writer, grease);
  require(writer.ok());
  const auto again = decode_transport_parameters(writer.written(), sender);
  require(again.has_value() && *again == *decoded);
  return 0;
}
