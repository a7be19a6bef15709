// SPDX-License-Identifier: Apache-2.0
#include "core/frame/frame_rules.hpp"

#include <algorithm>
#include <array>

#include "strata/h3/core/limits.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {
namespace {

using enum frame_rule::verdict_type;

/// One row per known type, one column per stream kind and receiver. `t` takes, `x` is
/// H3_FRAME_UNEXPECTED, `i` is H3_ID_ERROR.
struct row {
  std::uint64_t type;
  std::uint64_t max_length;
  // control: client, server   request: client, server   push: client, server
  std::array<char, 6> columns;
};

constexpr std::uint64_t any_length = std::numeric_limits<std::uint64_t>::max();

//= RFC 9114 section 7.2.8
//# Frame types that were used in HTTP/2 where there is no corresponding HTTP/3
//# frame have also been reserved (Section 11.2.1).  These frame types MUST NOT be
//# sent, and their receipt MUST be treated as a connection error of type
//# H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.5
//# A server MUST treat the receipt of
//# a PUSH_PROMISE frame as a connection error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.5
//# A client MUST treat receipt of a
//# PUSH_PROMISE frame that contains a larger push ID than the client has advertised
//# as a connection error of H3_ID_ERROR.
//= RFC 9114 section 7.2.1
//# If a DATA frame is received on a control stream, the recipient MUST respond with a connection
//# error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.2
//# If a HEADERS frame is received on a control stream, the recipient MUST respond with a
//# connection error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.3
//# Receiving a CANCEL_PUSH frame on a stream other than the control stream MUST be treated as a
//# connection error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.4
//# If an endpoint receives a SETTINGS frame on a different stream, the endpoint MUST respond with
//# a connection error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.5
//# If a PUSH_PROMISE frame is received on the control stream, the client MUST respond with a
//# connection error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.6
//# A client MUST treat a GOAWAY frame on a stream other than the control stream as a connection
//# error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.7
//# Receipt of a MAX_PUSH_ID frame on any other stream MUST be treated as a connection error of
//# type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.7
//# A client MUST treat the receipt of a MAX_PUSH_ID frame as a connection error of type
//# H3_FRAME_UNEXPECTED.
// Our client never sends MAX_PUSH_ID, so every push ID is larger.
constexpr std::array<row, 11> rows{{
    {0x00, any_length, {'x', 'x', 't', 't', 't', 'x'}},                        // DATA
    {0x01, any_length, {'x', 'x', 't', 't', 't', 'x'}},                        // HEADERS
    {0x02, any_length, {'x', 'x', 'x', 'x', 'x', 'x'}},                        // HTTP/2 PRIORITY
    {0x03, limits::max_varint_frame_payload, {'t', 't', 'x', 'x', 'x', 'x'}},  // CANCEL_PUSH
    {0x04, limits::max_settings_payload, {'t', 't', 'x', 'x', 'x', 'x'}},      // SETTINGS
    {0x05, any_length, {'x', 'x', 'i', 'x', 'x', 'x'}},                        // PUSH_PROMISE
    {0x06, any_length, {'x', 'x', 'x', 'x', 'x', 'x'}},                        // HTTP/2 PING
    {0x07, limits::max_varint_frame_payload, {'t', 't', 'x', 'x', 'x', 'x'}},  // GOAWAY
    {0x08, any_length, {'x', 'x', 'x', 'x', 'x', 'x'}},  // HTTP/2 WINDOW_UPDATE
    {0x09, any_length, {'x', 'x', 'x', 'x', 'x', 'x'}},  // HTTP/2 CONTINUATION
    {0x0d, limits::max_varint_frame_payload, {'x', 't', 'x', 'x', 'x', 'x'}},  // MAX_PUSH_ID
}};

}  // namespace

frame_rule rule_for_frame(std::uint64_t type, frame_stream stream, role receiver) noexcept {
  if (type > rows.back().type) return {};
  const auto found =
      std::lower_bound(rows.begin(), rows.end(), type,
                       [](const row& each, std::uint64_t wanted) { return each.type < wanted; });
  if (found->type != type) return {};
  const std::size_t column =
      2 * static_cast<std::size_t>(stream) + (receiver == role::server ? 1 : 0);
  switch (found->columns[column]) {
    case 't': return {.verdict = take, .max_length = found->max_length};
    case 'i': return {.verdict = refuse, .error = error_code::id_error};
    default: return {.verdict = refuse, .error = error_code::frame_unexpected};
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
