// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/frame/frame_reader.hpp"
#include "strata/h3/core/connection.hpp"
#include "strata/h3/core/field_section.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// Where a message is (RFC 9114 section 4.1), received or sent.
enum class message_part : std::uint8_t { headers, body, end };

/// What is done with the payload of the frame that is being read.
enum class payload_use : std::uint8_t { skip, section, content };

/// One request stream. Slots are recycled: clear() keeps the memory of the buffers.
class request_stream {
 public:
  std::uint64_t id = 0;

  // Receiving.
  frame_reader frames;
  payload_use payload = payload_use::skip;
  message_part receive_part = message_part::headers;
  section_role waiting_role = section_role::headers;
  bool section_waits = false;  // decoded, not taken: nothing is read beyond it
  bool blocked = false;        // the section in `encoded` needs insertions
  bool body_told = false;      // event_kind::body was given for what is shown
  bool receive_over = false;
  bool unwanted = false;  // answered: content that still comes is refused, the end is awaited
  bool tunnel = false;    // after CONNECT only DATA may come
  std::uint8_t interim_count = 0;
  std::uint16_t status = 0;  // of the response last received
  std::uint64_t body_received = 0;
  std::optional<std::uint64_t> body_expected;
  std::vector<std::byte> encoded;  // of a section that came in pieces or is blocked
  field_section section;

  // Sending.
  message_part send_part = message_part::headers;
  bool head_request = false;  // the response has no content whatever its content-length says
  bool connect_request = false;
  bool fin_pending = false;
  bool send_over = false;
  bool queued = false;           // in the list of streams with output
  bool full = false;             // QUIC took less than offered: wait for writable()
  bool writable_wanted = false;  // send_body() was short
  std::uint64_t body_sent = 0;
  std::optional<std::uint64_t> body_promised;
  std::vector<std::byte> unsent;
  std::size_t unsent_from = 0;

  // Both.
  bool visible = false;               // the application knows of it, so it hears of its end
  std::uint8_t commands_pending = 0;  // transport commands that name it and were not polled

  bool over() const noexcept { return receive_over && send_over && commands_pending == 0; }
  std::size_t unsent_size() const noexcept { return unsent.size() - unsent_from; }
  void drop_unsent() noexcept {
    unsent.clear();
    unsent_from = 0;
  }

  void clear(std::uint64_t new_id);
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
