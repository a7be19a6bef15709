// SPDX-License-Identifier: Apache-2.0
#include "core/path/peer_connection_ids.hpp"

#include <algorithm>

#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

std::unexpected<protocol_failure> fail(transport_error code, const char* reason) {
  return std::unexpected(protocol_failure{code, 0x18, reason});
}

}  // namespace

peer_connection_ids::~peer_connection_ids() {
  for (const active_id& entry : active_) drop_token(entry);
}

void peer_connection_ids::drop_token(const active_id& entry) {
  if (entry.token && entry.used) router_.remove_reset_token(*entry.token, slot_);
}

//= RFC 9000 section 10.3.1
//# An endpoint MUST NOT check for any stateless reset tokens associated with connection IDs it has not
//# used or for connection IDs that have been retired.
void peer_connection_ids::use_current() {
  if (active_.empty() || active_.front().used || !active_.front().token) return;
  active_.front().used = true;
  router_.add_reset_token(*active_.front().token, slot_);
}

void peer_connection_ids::set_initial(const connection_id& id) {
  if (active_.empty()) active_.push_back({});
  active_.front() = {.sequence = 0, .id = id, .token = std::nullopt};
}

void peer_connection_ids::set_initial_reset_token(const stateless_reset_token& token) {
  if (active_.empty() || active_.front().sequence != 0) return;
  active_.front().token = token;
  use_current();
}

std::expected<void, protocol_failure> peer_connection_ids::retire(std::uint64_t sequence) {
  if (std::ranges::find(retirements_, sequence, &retirement::sequence) != retirements_.end())
    return {};
  //= RFC 9000 section 5.1.2
  //# An endpoint SHOULD limit the number of connection IDs it has retired locally for which
  //# RETIRE_CONNECTION_ID frames have not yet been acknowledged.
  // A peer that withholds acknowledgements and keeps raising Retire Prior To would grow the list
  // (CVE-2024-22189).
  if (retirements_.size() == limits::max_pending_retirements) {
    return fail(transport_error::connection_id_limit_error,
                "too many connection IDs retired without acknowledgement");
  }
  retirements_.push_back({sequence, true});
  return {};
}

std::expected<void, protocol_failure> peer_connection_ids::retire_prior_to(std::uint64_t sequence) {
  retired_below_ = std::max(retired_below_, sequence);
  for (auto entry = active_.begin(); entry != active_.end();) {
    if (entry->sequence >= retired_below_) {
      ++entry;
      continue;
    }
    if (auto done = retire(entry->sequence); !done) return done;
    drop_token(*entry);
    entry = active_.erase(entry);
  }
  return {};
}

std::expected<void, protocol_failure> peer_connection_ids::on(
    const new_connection_id_frame& frame) {
  //= RFC 9000 section 19.15
  //# An endpoint that is sending packets with a zero-length Destination Connection ID MUST treat
  //# receipt of a NEW_CONNECTION_ID frame as a connection error of type PROTOCOL_VIOLATION.
  if (current().empty())
    return fail(transport_error::protocol_violation, "NEW_CONNECTION_ID to a peer without IDs");

  for (const active_id& entry : active_) {
    const bool same_sequence = entry.sequence == frame.sequence_number;
    if (same_sequence && entry.id == frame.connection_id) return {};
    //= RFC 9000 section 19.15
    //# if a sequence number is used for different connection IDs, the endpoint MAY treat that receipt as
    //# a connection error of type PROTOCOL_VIOLATION.
    if (same_sequence || entry.id == frame.connection_id) {
      return fail(transport_error::protocol_violation,
                  "a connection ID or its sequence number was used twice");
    }
    if (entry.token == frame.stateless_reset_token) {
      return fail(transport_error::protocol_violation, "a stateless reset token was used twice");
    }
  }
  //= RFC 9000 section 19.15
  //# An endpoint that receives a NEW_CONNECTION_ID frame with a sequence number smaller than the Retire
  //# Prior To field of a previously received NEW_CONNECTION_ID frame MUST send a corresponding
  //# RETIRE_CONNECTION_ID frame that retires the newly received connection ID, unless it has already
  //# done so for that sequence number.
  if (frame.sequence_number < retired_below_) return retire(frame.sequence_number);

  const auto place =
      std::ranges::lower_bound(active_, frame.sequence_number, {}, &active_id::sequence);
  active_.insert(place,
                 {.sequence = frame.sequence_number,
                  .id = frame.connection_id,
                  .token = frame.stateless_reset_token});
  if (auto done = retire_prior_to(frame.retire_prior_to); !done) return done;
  //= RFC 9000 section 5.1.1
  //# After processing a NEW_CONNECTION_ID frame and adding and retiring active connection IDs, if the
  //# number of active connection IDs exceeds the value advertised in its active_connection_id_limit
  //# transport parameter, an endpoint MUST close the connection with an error of type
  //# CONNECTION_ID_LIMIT_ERROR.
  if (active_.size() > limits::active_connection_id_limit) {
    return fail(transport_error::connection_id_limit_error,
                "more connection IDs than active_connection_id_limit");
  }
  use_current();
  return {};
}

bool peer_connection_ids::has_output() const noexcept {
  return std::ranges::any_of(retirements_, &retirement::pending);
}

void peer_connection_ids::write_frames(packet_payload& payload) {
  for (retirement& entry : retirements_) {
    if (!entry.pending) continue;
    const retire_connection_id_frame frame{.sequence_number = entry.sequence};
    if (payload.remaining() < encoded_size(frame)) return;
    encode(frame, payload.writer);
    payload.frames.push_back(
        {.what = sent_frame::kind::retire_connection_id, .offset = entry.sequence});
    entry.pending = false;
  }
}

void peer_connection_ids::on_acked(std::uint64_t sequence) noexcept {
  std::erase_if(retirements_,
                [sequence](const retirement& entry) { return entry.sequence == sequence; });
}

void peer_connection_ids::on_lost(std::uint64_t sequence) noexcept {
  for (retirement& entry : retirements_) {
    if (entry.sequence == sequence) entry.pending = true;
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
