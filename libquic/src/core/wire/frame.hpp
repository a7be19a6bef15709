// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>

#include "core/wire/ack_range.hpp"
#include "core/wire/frame_type.hpp"
#include "strata/quic/core/connection_id.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

// The frames of RFC 9000 section 19, one struct each, fields named as there. Byte fields are views:
// of a decoded frame into the packet, valid as long as it; of a frame to encode into whatever the
// caller keeps.

/// `length` PADDING frames in a row, folded into one.
struct padding_frame {
  std::size_t length = 1;
};

struct ping_frame {};

struct ack_frame {
  std::uint64_t largest_acknowledged = 0;
  std::uint64_t ack_delay =
      0;  ///< As on the wire: microseconds / 2^ack_delay_exponent of the sender.
  std::uint64_t first_ack_range = 0;  ///< Packets below largest_acknowledged in the first range.
  std::uint64_t range_count = 0;      ///< Ranges after the first one.
  transport::bytes
      ranges;  ///< Their encoding, (Gap, ACK Range Length) each; decode_frame has validated it.
  std::optional<core::ecn_counts> ecn_counts;

  /// Calls `visit(smallest, largest)` for every range, newest first; a visitor that returns bool
  /// ends the walk with false. No number underflows in a frame that decode_frame returned.
  /// Allocates nothing.
  template <class Visitor>
  void for_each_range(Visitor&& visit) const;
};

struct reset_stream_frame {
  std::uint64_t stream_id = 0;
  std::uint64_t application_protocol_error_code = 0;
  std::uint64_t final_size = 0;
};

struct stop_sending_frame {
  std::uint64_t stream_id = 0;
  std::uint64_t application_protocol_error_code = 0;
};

struct crypto_frame {
  std::uint64_t offset = 0;
  transport::bytes data;  ///< offset + size never exceeds 2^62-1.
};

struct new_token_frame {
  transport::bytes token;  ///< Never empty.
};

struct stream_frame {
  std::uint64_t stream_id = 0;
  std::uint64_t offset = 0;
  transport::bytes data;  ///< offset + size never exceeds 2^62-1.
  bool fin = false;
};

struct max_data_frame {
  std::uint64_t maximum_data = 0;
};

struct max_stream_data_frame {
  std::uint64_t stream_id = 0;
  std::uint64_t maximum_stream_data = 0;
};

struct max_streams_frame {
  bool bidirectional = false;
  std::uint64_t maximum_streams = 0;  ///< At most 2^60.
};

struct data_blocked_frame {
  std::uint64_t maximum_data = 0;
};

struct stream_data_blocked_frame {
  std::uint64_t stream_id = 0;
  std::uint64_t maximum_stream_data = 0;
};

struct streams_blocked_frame {
  bool bidirectional = false;
  std::uint64_t maximum_streams = 0;  ///< At most 2^60.
};

struct new_connection_id_frame {
  std::uint64_t sequence_number = 0;
  std::uint64_t retire_prior_to = 0;  ///< At most sequence_number.
  quic::connection_id connection_id;  ///< 1 to 20 bytes.
  quic::stateless_reset_token stateless_reset_token{};
};

struct retire_connection_id_frame {
  std::uint64_t sequence_number = 0;
};

using path_data = std::array<std::byte, 8>;

struct path_challenge_frame {
  path_data data{};
};

struct path_response_frame {
  path_data data{};
};

struct connection_close_frame {
  bool application = false;  ///< Type 0x1d; then frame_type is neither sent nor read.
  std::uint64_t error_code = 0;
  std::uint64_t frame_type = 0;  ///< The one that caused the error; zero when unknown.
  transport::bytes reason_phrase;
};

struct handshake_done_frame {};

using frame =
    std::variant<padding_frame, ping_frame, ack_frame, reset_stream_frame, stop_sending_frame,
                 crypto_frame, new_token_frame, stream_frame, max_data_frame, max_stream_data_frame,
                 max_streams_frame, data_blocked_frame, stream_data_blocked_frame,
                 streams_blocked_frame, new_connection_id_frame, retire_connection_id_frame,
                 path_challenge_frame, path_response_frame, connection_close_frame,
                 handshake_done_frame>;
static_assert(std::is_trivially_copyable_v<frame> && sizeof(frame) <= 96);

/// More streams than this could not be numbered (RFC 9000 section 4.6).
inline constexpr std::uint64_t max_streams_limit = std::uint64_t{1} << 60;

/// Reads exactly one frame (a run of PADDING counts as one) and enforces every rule of section 19
/// that the frame alone can break; its failure closes the connection. Whether the frame may be in
/// its packet is asked of is_allowed. The cost is linear in the bytes consumed. After a failure the
/// reader is not to be used. A packet without frames is the caller's to refuse: do not call with an
/// empty reader.
std::expected<frame, protocol_failure> decode_frame(transport::buffer_reader& reader) noexcept;

/// The type it would be encoded with. Of a STREAM frame the LEN bit is always set.
std::uint64_t type_of(const frame& any) noexcept;

// Encoding: encoded_size() is what encode() writes. A value that the wire cannot carry makes the
// writer fail; so does missing room. STREAM and CRYPTO frames are encoded with their Length; packet
// builders use the header forms below.

std::size_t encoded_size(const padding_frame&) noexcept;
std::size_t encoded_size(const ping_frame&) noexcept;
std::size_t encoded_size(const ack_frame&) noexcept;
std::size_t encoded_size(const reset_stream_frame&) noexcept;
std::size_t encoded_size(const stop_sending_frame&) noexcept;
std::size_t encoded_size(const crypto_frame&) noexcept;
std::size_t encoded_size(const new_token_frame&) noexcept;
std::size_t encoded_size(const stream_frame&) noexcept;
std::size_t encoded_size(const max_data_frame&) noexcept;
std::size_t encoded_size(const max_stream_data_frame&) noexcept;
std::size_t encoded_size(const max_streams_frame&) noexcept;
std::size_t encoded_size(const data_blocked_frame&) noexcept;
std::size_t encoded_size(const stream_data_blocked_frame&) noexcept;
std::size_t encoded_size(const streams_blocked_frame&) noexcept;
std::size_t encoded_size(const new_connection_id_frame&) noexcept;
std::size_t encoded_size(const retire_connection_id_frame&) noexcept;
std::size_t encoded_size(const path_challenge_frame&) noexcept;
std::size_t encoded_size(const path_response_frame&) noexcept;
std::size_t encoded_size(const connection_close_frame&) noexcept;
std::size_t encoded_size(const handshake_done_frame&) noexcept;
/// Only for a variant itself, so that the structs above convert to nothing.
template <class Frame>
  requires std::is_same_v<Frame, frame>
std::size_t encoded_size(const Frame& any) noexcept {
  return std::visit([](const auto& one) { return encoded_size(one); }, any);
}

void encode(const padding_frame&, transport::buffer_writer&) noexcept;
void encode(const ping_frame&, transport::buffer_writer&) noexcept;
void encode(const ack_frame&, transport::buffer_writer&) noexcept;
void encode(const reset_stream_frame&, transport::buffer_writer&) noexcept;
void encode(const stop_sending_frame&, transport::buffer_writer&) noexcept;
void encode(const crypto_frame&, transport::buffer_writer&) noexcept;
void encode(const new_token_frame&, transport::buffer_writer&) noexcept;
void encode(const stream_frame&, transport::buffer_writer&) noexcept;
void encode(const max_data_frame&, transport::buffer_writer&) noexcept;
void encode(const max_stream_data_frame&, transport::buffer_writer&) noexcept;
void encode(const max_streams_frame&, transport::buffer_writer&) noexcept;
void encode(const data_blocked_frame&, transport::buffer_writer&) noexcept;
void encode(const stream_data_blocked_frame&, transport::buffer_writer&) noexcept;
void encode(const streams_blocked_frame&, transport::buffer_writer&) noexcept;
void encode(const new_connection_id_frame&, transport::buffer_writer&) noexcept;
void encode(const retire_connection_id_frame&, transport::buffer_writer&) noexcept;
void encode(const path_challenge_frame&, transport::buffer_writer&) noexcept;
void encode(const path_response_frame&, transport::buffer_writer&) noexcept;
void encode(const connection_close_frame&, transport::buffer_writer&) noexcept;
void encode(const handshake_done_frame&, transport::buffer_writer&) noexcept;
template <class Frame>
  requires std::is_same_v<Frame, frame>
void encode(const Frame& any, transport::buffer_writer& writer) noexcept {
  std::visit([&writer](const auto& one) { encode(one, writer); }, any);
}

/// All of a STREAM frame but its data, which the caller puts right behind. Without `length` the
/// data has to fill the packet.
struct stream_header {
  std::uint64_t stream_id = 0;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  bool fin = false;
};

std::size_t stream_header_size(const stream_header&) noexcept;
void encode_stream_header(const stream_header&, transport::buffer_writer&) noexcept;

std::size_t crypto_header_size(std::uint64_t offset, std::uint64_t length) noexcept;
void encode_crypto_header(std::uint64_t offset, std::uint64_t length,
                          transport::buffer_writer&) noexcept;

/// The most bytes that fit, with the varint of their count before them, into `space`.
std::size_t room_after_length(std::size_t space) noexcept;

/// An ACK frame to send. `ranges` are newest first, never empty, and at least one number lies
/// between neighbours.
struct ack_content {
  std::span<const ack_range> ranges;
  std::uint64_t ack_delay = 0;  ///< Already divided by 2^ack_delay_exponent.
  std::optional<core::ecn_counts> ecn_counts;
};

/// Writes as many ranges as fit, the newest first, and returns how many; zero, and nothing written,
/// when not even one fits.
std::size_t encode_ack(const ack_content& content, transport::buffer_writer& writer) noexcept;

template <class Visitor>
void ack_frame::for_each_range(Visitor&& visit) const {
  const auto goes_on = [&visit](std::uint64_t smallest, std::uint64_t largest) {
    if constexpr (std::is_same_v<std::invoke_result_t<Visitor&, std::uint64_t, std::uint64_t>,
                                 bool>) {
      return visit(smallest, largest);
    } else {
      visit(smallest, largest);
      return true;
    }
  };
  std::uint64_t smallest = largest_acknowledged - first_ack_range;
  if (!goes_on(smallest, largest_acknowledged)) return;
  transport::buffer_reader reader(ranges);
  while (!reader.empty()) {
    const std::uint64_t largest = smallest - reader.varint() - 2;
    smallest = largest - reader.varint();
    if (!goes_on(smallest, largest)) return;
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
