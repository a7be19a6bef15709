// SPDX-License-Identifier: Apache-2.0
#include "core/anytls/frame.hpp"

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

void encode(const frame_header& header, std::byte* out) noexcept {
  transport::buffer_writer writer({out, frame_header::encoded_size});
  writer.u8(static_cast<std::uint8_t>(header.command));
  writer.u32(header.stream_id);
  writer.u16(header.length);
}

frame_header decode(std::span<const std::byte, frame_header::encoded_size> input) noexcept {
  transport::buffer_reader reader(input);
  frame_header header;
  header.command = static_cast<command>(reader.u8());
  header.stream_id = reader.u32();
  header.length = reader.u16();
  return header;
}

bool may_carry_data(command of) noexcept {
  switch (of) {
    case command::waste:
    case command::psh:
    case command::settings:
    case command::alert:
    case command::update_padding_scheme:
    case command::synack:
    case command::server_settings: return true;
    default: return false;
  }
}

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
