// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

/// The commands of the protocol's two versions; the names are its own. What is not here is skipped
/// with its data.
enum class command : std::uint8_t {
  waste = 0,
  syn = 1,
  psh = 2,
  fin = 3,
  settings = 4,               ///< From the client.
  alert = 5,                  ///< From the server, and so are those below, but for the heartbeat.
  update_padding_scheme = 6,  // The last of version 1.
  synack = 7,
  heart_request = 8,
  heart_response = 9,
  server_settings = 10,
};

/// All of a frame but its data.
struct frame_header {
  static constexpr std::size_t encoded_size = 7;
  static constexpr std::size_t max_length = 65535;

  anytls::command command = command::waste;
  std::uint32_t stream_id = 0;  ///< Zero by convention for what belongs to the session.
  std::uint16_t length = 0;

  friend bool operator==(const frame_header&, const frame_header&) = default;
};

void encode(const frame_header& header, std::byte* out) noexcept;
/// Every seven bytes are a header; the command may be none of those above.
frame_header decode(std::span<const std::byte, frame_header::encoded_size> input) noexcept;

/// Whether the protocol lets the command have data. The reference does not skip the data of the
/// others, and loses its place (A01).
bool may_carry_data(command of) noexcept;

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
