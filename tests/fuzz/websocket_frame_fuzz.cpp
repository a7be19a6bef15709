// SPDX-License-Identifier: Apache-2.0
// Frames of WebSocket: however the input is cut, and whether it is read at once or late, both roles
// and modes make the same of it; what they send is frames, and nothing comes after a Close.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/websocket/frame_header.hpp"
#include "core/websocket/utf8_validator.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_connection.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

struct outcome {
  std::string content;  // with a mark for each end of a message
  std::error_code end;
  unsigned code = 0;
};

/// What comes before bytes that are no text is delivered or not, as the carrier cut it.
bool same(const outcome& one, const outcome& other) {
  if (one.end != other.end || one.code != other.code) return false;
  if (one.code != 1007) return one.content == other.content;
  return one.content.starts_with(other.content) || other.content.starts_with(one.content);
}

struct manner {
  std::size_t step;
  bool late;
};

class reader {
 public:
  reader(websocket_role role, websocket_mode mode)
      : random_(1), core_({.role = role, .mode = mode}, random_), role_(role), mode_(mode) {}

  outcome read_all(bytes input, manner how) {
    while (!input.empty()) {
      const bytes piece = input.first(std::min(how.step, input.size()));
      const std::string loan(as_text(piece));
      input = input.subspan(piece.size());
      core_.receive(now_, as_bytes(loan));
      if (!how.late) read();
      core_.release_input();
      flush();
    }
    core_.receive_end(now_);
    read();
    const websocket_close* closed = core_.closed();
    check(closed != nullptr && closed->cause == seen_.end);
    seen_.code = closed->code;
    flush();
    check_output();
    return seen_;
  }

 private:
  void read() {
    std::array<std::byte, 100> out;
    while (true) {
      if (mode_ == websocket_mode::stream) {
        const auto size = core_.read(out);
        if (!size) return void(seen_.end = size.error());
        seen_.content += as_text(bytes(out).first(*size));
        continue;
      }
      const auto part = core_.read_message(out);
      if (!part) return void(seen_.end = part.error());
      const std::string_view text = as_text(bytes(out).first(part->size));
      if (part->kind == websocket_kind::text) check(text_.add(as_bytes(text)));
      seen_.content += text;
      if (!part->end) continue;
      check(text_.is_complete());
      text_ = {};
      seen_.content += part->kind == websocket_kind::text ? "<t>" : "<b>";
    }
  }

  void flush() {
    std::array<bytes, 3> pieces;
    while (const std::size_t count = core_.poll_output(now_, pieces)) {
      for (std::size_t i = 0; i < count; ++i) output_ += as_text(pieces[i]);
      std::size_t size = 0;
      for (std::size_t i = 0; i < count; ++i) size += pieces[i].size();
      core_.sent(size);
    }
  }

  void check_output() const {
    const auto other =
        role_ == websocket_role::client ? websocket_role::server : websocket_role::client;
    bytes rest = as_bytes(output_);
    bool closed = false;
    while (!rest.empty()) {
      check(rest.size() >= 2 && !closed);
      const auto size = websocket::frame_header_size(rest[0], rest[1], other);
      check(size && *size <= rest.size());
      const auto header = websocket::parse_frame_header(rest.first(*size));
      check(header && header->length <= rest.size() - *size);
      closed = header->code == websocket::opcode::close;
      rest = rest.subspan(*size + static_cast<std::size_t>(header->length));
    }
  }

  testkit::fake_random random_;
  websocket_connection core_;
  websocket_role role_;
  websocket_mode mode_;
  time_point now_{std::chrono::seconds(1)};
  outcome seen_;
  std::string output_;
  websocket::utf8_validator text_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const bytes stream = std::as_bytes(std::span(input, size));
  for (const auto role : {websocket_role::client, websocket_role::server}) {
    for (const auto mode : {websocket_mode::stream, websocket_mode::messages}) {
      const outcome whole = reader(role, mode).read_all(stream, {SIZE_MAX, false});
      check(same(whole, reader(role, mode).read_all(stream, {SIZE_MAX, true})));
      check(same(whole, reader(role, mode).read_all(stream, {1, false})));
      check(same(whole, reader(role, mode).read_all(stream, {5, true})));
    }
  }
  return 0;
}
