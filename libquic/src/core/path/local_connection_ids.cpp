// SPDX-License-Identifier: Apache-2.0
#include "core/path/local_connection_ids.hpp"

#include <algorithm>
#include <array>

#include "core/wire/frame.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

local_connection_ids::local_connection_ids(const context& context) : context_(context) {
  initial_ = choose();
  issued_.push_back({next_sequence_++, initial_, false});
}

local_connection_ids::~local_connection_ids() {
  for (const issued_id& entry : issued_) context_.router.remove(entry.id, context_.slot);
  drop_provisional();
}

connection_id local_connection_ids::choose() {
  for (;;) {
    std::array<std::byte, id_size> octets;
    context_.random.fill(octets);
    const connection_id id(octets);
    //= RFC 9000 section 5.1
    //# Connection IDs MUST NOT contain any information that can be used by an external observer
    //# (that is, one that does not cooperate with the issuer) to correlate them with other
    //# connection IDs for the same connection.
    //= RFC 9000 section 5.1
    //# the same connection ID MUST NOT be issued more than once on the same connection
    //= RFC 9000 section 5.1.1
    //# When an endpoint issues a connection ID, it MUST accept packets that carry this connection
    //# ID for the duration of the connection or until its peer invalidates the connection ID via a
    //# RETIRE_CONNECTION_ID frame (Section 19.16).
    //= RFC 9000 section 10.3.2
    //# This method for choosing the stateless reset token means that the combination of connection
    //# ID and static key MUST NOT be used for another connection.
    //= RFC 9000 section 10.3.2
    //# A connection ID from a connection that is reset by revealing the stateless reset token MUST
    //# NOT be reused for new connections at nodes that share a static key.
    if (context_.router.add(id, context_.slot)) return id;
  }
}

void local_connection_ids::add_provisional(const connection_id& id) {
  provisional_ = id;
  has_provisional_ = context_.router.add(id, context_.slot);
}

void local_connection_ids::drop_provisional() {
  if (has_provisional_) context_.router.remove(provisional_, context_.slot);
  has_provisional_ = false;
}

void local_connection_ids::issue(std::uint64_t limit) {
  //= RFC 9000 section 5.1.1
  //# An endpoint MUST NOT provide more connection IDs than the peer's limit.
  limit_ = std::min(limit, limits::active_connection_id_limit);
  while (issued_.size() < limit_) {
    //= RFC 9000 section 5.1.1
    //# The sequence number on each newly issued connection ID MUST increase by 1.
    issued_.push_back({next_sequence_++, choose(), true});
    ++pending_;
  }
}

std::expected<void, protocol_failure> local_connection_ids::on_retired(
    std::uint64_t sequence, const connection_id& destination) {
  constexpr std::uint64_t frame_type = 0x19;
  //= RFC 9000 section 19.16
  //# Receipt of a RETIRE_CONNECTION_ID frame containing a sequence number greater than any previously
  //# sent to the peer MUST be treated as a connection error of type PROTOCOL_VIOLATION.
  if (sequence >= sent_below_) {
    return std::unexpected(protocol_failure{transport_error::protocol_violation, frame_type,
                                            "retired a connection ID that was never sent"});
  }
  const auto entry = std::ranges::find(issued_, sequence, &issued_id::sequence);
  if (entry == issued_.end()) return {};
  //= RFC 9000 section 19.16
  //# The sequence number specified in a RETIRE_CONNECTION_ID frame MUST NOT refer to the Destination
  //# Connection ID field of the packet in which the frame is contained.
  if (entry->id == destination) {
    return std::unexpected(protocol_failure{transport_error::protocol_violation, frame_type,
                                            "retired the connection ID of the packet itself"});
  }
  if (entry->pending) --pending_;
  context_.router.remove(entry->id, context_.slot);
  issued_.erase(entry);
  issue(limit_);
  return {};
}

void local_connection_ids::write_frames(packet_payload& payload) {
  for (issued_id& entry : issued_) {
    if (!entry.pending) continue;
    const new_connection_id_frame frame{
        .sequence_number = entry.sequence,
        .retire_prior_to = 0,
        .connection_id = entry.id,
        //= RFC 9000 section 10.3.2
        //# The same stateless reset token MUST NOT be used for multiple connection IDs.
        .stateless_reset_token = context_.tokens.reset_token(entry.id)};
    if (payload.remaining() < encoded_size(frame)) return;
    encode(frame, payload.writer);
    payload.frames.push_back(
        {.what = sent_frame::kind::new_connection_id, .offset = entry.sequence});
    entry.pending = false;
    --pending_;
    sent_below_ = std::max(sent_below_, entry.sequence + 1);
  }
}

void local_connection_ids::on_lost(std::uint64_t sequence) noexcept {
  const auto entry = std::ranges::find(issued_, sequence, &issued_id::sequence);
  if (entry == issued_.end() || entry->pending) return;
  entry->pending = true;
  ++pending_;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
