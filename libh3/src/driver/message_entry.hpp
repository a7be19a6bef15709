// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "strata/h3/core/field_section.hpp"
#include "strata/h3/response.hpp"
#include "strata/transport/buffer_list.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/driver/pending_operation.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

using transport::completion;
using transport::io_signature;
using transport::status_signature;

/// What waits on one request stream, and how each of its directions ended. The protocol's state is
/// the core's, the bytes are QUIC's.
struct message_entry {
  explicit message_entry(std::uint64_t number) noexcept : id(number) {}

  std::uint64_t id;
  bool held = false;  ///< A handle names it.
  bool pump_queued = false;
  /// Nothing more is read from, or written to, QUIC's stream.
  bool receive_over = false;
  bool send_over = false;
  bool forgotten = false;  ///< By QUIC.

  // Receiving.
  field_section head;
  field_section trailers;
  std::vector<interim_response> interim;
  bool head_received = false;
  std::error_code read_end;  ///< The lasting result: eof, or what cut the message off.
  transport::pending_operation<io_signature> read;
  transport::buffer_list<asio::mutable_buffer> read_into;
  std::size_t read_count = 0;
  transport::pending_operation<status_signature> head_wait;
  transport::pending_operation<response_signature> requesting;

  // Sending.
  bool head_sent = false;
  bool writing = false;
  bool write_fin = false;
  transport::bytes write_from;  ///< What is left of the write.
  std::size_t write_count = 0;
  std::error_code write_end;
  transport::pending_operation<io_signature> write;
  std::string own_body;  ///< Of request_options.

  transport::peer_codes codes;

  bool over() const noexcept { return receive_over && send_over; }
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
