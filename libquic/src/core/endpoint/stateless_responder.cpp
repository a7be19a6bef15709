// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/stateless_responder.hpp"

#include <algorithm>
#include <array>

#include "core/connection/outgoing_batch.hpp"
#include "core/crypto/key_schedule.hpp"
#include "core/path/local_connection_ids.hpp"
#include "core/wire/frame.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/version.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// UDP services that answer anything: a spoofed source port of theirs would make two of them talk
/// for ever.
bool stateless_responder::may_answer(const addresses& to) const noexcept {
  constexpr std::array<std::uint16_t, 13> reflecting{0,   7,   17,  19,  53,   111,  123,
                                                     137, 161, 389, 520, 1900, 11211};
  return queue_.size() < max_queued &&
         std::ranges::find(reflecting, to.remote.port()) == reflecting.end();
}

void stateless_responder::enqueue(const addresses& to, transport::bytes datagram) {
  queue_.push_back({{datagram.begin(), datagram.end()}, to.remote, to.local});
}

void stateless_responder::negotiate_version(const addresses& to, const packet_header& header) {
  if (!may_answer(to)) return;
  std::array<std::byte, 5> random;
  random_.fill(random);
  // A reserved version keeps clients used to ones they do not know (RFC 9000 section 6.3).
  const auto nibbles = [&random](std::size_t i) {
    return std::to_integer<std::uint32_t>(random[i]) & 0xf0u;
  };
  const std::uint32_t reserved =
      0x0a0a0a0au | nibbles(1) << 24 | nibbles(2) << 16 | nibbles(3) << 8 | nibbles(4);
  const std::array versions{version_1, reserved};
  //= RFC 9000 section 17.2.1
  //# Version-specific rules for the connection ID therefore MUST NOT influence a decision about
  //# whether to send a Version Negotiation packet.
  std::array<std::byte, 600> memory;
  transport::buffer_writer writer(memory);
  //= RFC 9000 section 17.2.1
  //# The server MUST include the value from the Source Connection ID field of the packet it
  //# receives in the Destination Connection ID field.
  //= RFC 9000 section 17.2.1
  //# The value for Source Connection ID MUST be copied from the Destination Connection ID of the
  //# received packet
  //= RFC 8999 section 6
  //# An endpoint MUST include the value from the Source Connection ID field of the packet it
  //# receives in the Destination Connection ID field.
  //= RFC 8999 section 6
  //# The value for the Source Connection ID field MUST be copied from the Destination Connection
  //# ID field of the received packet
  encode_version_negotiation(writer, {.first_byte_random = random[0],
                                      .destination = header.source,
                                      .source = header.destination,
                                      .supported_versions = versions});
  if (!writer.ok()) return;
  enqueue(to, writer.written());
  ++counters_.version_negotiations;
}

void stateless_responder::retry(const addresses& to, const packet_header& header) {
  if (!may_answer(to)) return;
  //= RFC 9000 section 17.2.5.1
  //# This value MUST NOT be equal to the Destination Connection ID field of the packet sent by the
  //# client.
  std::array<std::byte, local_connection_ids::id_size> octets;
  random_.fill(octets);
  const connection_id source(octets);
  const connection_id original(header.destination);
  const std::vector<std::byte> token = tokens_.mint_retry(to.remote, original, source);
  std::array<std::byte, 1200> memory;
  transport::buffer_writer writer(memory);
  encode_retry(writer, {.destination = header.source,
                        .source = source.bytes(),
                        .token = token,
                        .integrity_tag = {}});
  const auto tag = retry_integrity_tag(original, writer.written());
  if (!tag) return;
  writer.put(*tag);
  if (!writer.ok()) return;
  enqueue(to, writer.written());
  ++counters_.retries;
}

void stateless_responder::close(const addresses& to, const packet_header& header,
                                transport_error code) {
  if (!may_answer(to)) return;
  auto keys = derive_initial_protection(connection_id(header.destination), null_protection_);
  if (!keys) return;
  std::array<std::byte, 200> memory;
  transport::buffer_writer writer(memory);
  const long_header_layout layout = write_long_header(writer, {.type = packet_type::initial,
                                                               .version = version_1,
                                                               .destination = header.source,
                                                               .source = header.destination,
                                                               .token = {},
                                                               .packet_number = 0,
                                                               .packet_number_size = 1});
  encode(connection_close_frame{.application = false,
                                .error_code = static_cast<std::uint64_t>(code),
                                .frame_type = 0,
                                .reason_phrase = {}},
         writer);
  if (!writer.ok()) return;
  const std::size_t payload = writer.size() - layout.size;
  patch_length(memory.data(), layout.length_offset, 1 + payload + aead_tag_size);
  keys->server.seal(0, memory.data(), layout.size, payload);
  const std::byte* sample = memory.data() + layout.packet_number_offset + 4;
  header_mask mask;
  keys->server.header_masks({&sample, 1}, {&mask, 1});
  apply_header_mask(memory.data(), layout.packet_number_offset, 1, mask);
  enqueue(to, transport::bytes(memory).first(writer.size() + aead_tag_size));
  ++counters_.refusals;
}

bool stateless_responder::take_reset_credit(transport::time_point now) noexcept {
  if (now - credit_at_ >= std::chrono::seconds(1) ||
      reset_credit_ > limits::stateless_resets_per_second) {
    credit_at_ = now;
    reset_credit_ = limits::stateless_resets_per_second;
  }
  if (reset_credit_ == 0) return false;
  --reset_credit_;
  return true;
}

void stateless_responder::reset(transport::time_point now, const addresses& to,
                                transport::bytes destination, std::size_t datagram_size) {
  constexpr std::size_t least =
      21;  // Below, it could not pass for a packet (RFC 9000 section 10.3).
  constexpr std::size_t most = 43;
  //= RFC 9000 section 10.3.3
  //# An endpoint MUST ensure that every Stateless Reset that it sends is smaller than the packet that
  //# triggered it, unless it maintains state sufficient to prevent looping.
  //= RFC 9000 section 10.3
  //# An endpoint MUST NOT send a Stateless Reset that is three times or more larger than the
  //# packet it receives
  const std::size_t size = std::min(datagram_size - std::min<std::size_t>(datagram_size, 1), most);
  if (size < least || !may_answer(to) || !take_reset_credit(now)) return;
  std::array<std::byte, most> memory;
  random_.fill(memory);
  //= RFC 9000 section 10.3
  //# Endpoints MUST send Stateless Resets formatted as a packet with a short header.
  memory[0] = (memory[0] & std::byte{0x3f}) | std::byte{0x40};
  const stateless_reset_token token = tokens_.reset_token(connection_id(destination));
  transport::copy_bytes(memory.data() + size - token.size(), token);
  enqueue(to, transport::bytes(memory).first(size));
  ++counters_.resets;
}

std::optional<transport::transmit> stateless_responder::poll_transmit(
    transport::mutable_bytes out) {
  if (queue_.empty()) return std::nullopt;
  const response next = std::move(queue_.front());
  queue_.pop_front();
  transport::copy_bytes(out.data(), next.datagram);
  return transport::transmit{.size = static_cast<std::uint32_t>(next.datagram.size()),
                             .segment = static_cast<std::uint16_t>(next.datagram.size()),
                             .mark = transport::ecn::not_ect,
                             .remote = next.remote,
                             .local = next.local};
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
