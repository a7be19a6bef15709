// SPDX-License-Identifier: Apache-2.0
// Two ends of a WebSocket, driven by operations that the input spells: reading, writing, ending and
// time in any order, a carrier that cuts, and one that now and then brings what no end has sent.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_connection.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

websocket_config config_of(websocket_role role, websocket_mode mode) {
  websocket_config config{.role = role, .mode = mode};
  config.max_frame = 4000;
  config.max_message = 10'000;
  config.max_unread = 2000;
  config.watermark = 3000;
  config.keepalive = std::chrono::seconds(7);
  return config;
}

class end {
 public:
  end(websocket_role role, websocket_mode mode)
      : random_(static_cast<std::uint64_t>(role)),
        core(config_of(role, mode), random_),
        mode_(mode) {}

  void operate(unsigned kind, bytes piece, time_point now) {
    switch (kind) {
      case 0: return write(piece);
      case 1: return read(piece.size() * 8);
      case 2: return note(core.ping(piece.first(std::min<std::size_t>(piece.size(), 125))));
      case 3: return note(core.finish(now));
      case 4: {
        const auto code = static_cast<std::uint16_t>(1000 + 20 * piece.size());
        return note(core.close(now, code, as_text(piece.subspan(piece.size() / 2))));
      }
      case 5: return flush(piece.size() * 4, now);
      case 6:
        if (const auto due = core.next_timeout(); due && *due <= now) core.handle_timeout(now);
        return;
      default: return flush(SIZE_MAX, now);
    }
  }

  void deliver(bytes piece, time_point now, bool read_at_once) {
    const std::string loan(as_text(piece));
    core.receive(now, as_bytes(loan));
    if (read_at_once) read(1000);
    core.release_input();
  }

  void settle() {
    for (websocket_event event; core.poll_event(event);) {
      check(!closed_);
      closed_ = event.kind == websocket_event_kind::closed;
    }
    check(closed_ == (core.closed() != nullptr));
    check(!core.finished() || closed_);
  }

  std::string wire;     // on its way to the other
  std::string written;  // binary bytes that were taken
  std::string seen;     // and that were read
  std::error_code read_end;

 private:
  template <class Result>
  static void note(const Result& result) {
    if (!result) check(bool(result.error()));
  }

  void write(bytes piece) {
    const std::size_t times = piece.empty() ? 1 : 1 + std::to_integer<std::size_t>(piece[0]) % 8;
    for (std::size_t i = 0; i < times; ++i) {
      const auto taken =
          mode_ == websocket_mode::stream
              ? core.write({&piece, 1})
              : core.send(websocket_kind::binary, {&piece, 1}, piece.size() % 3 != 0);
      if (!taken) return;
      check(*taken <= piece.size());
      written += as_text(piece.first(*taken));
    }
  }

  void read(std::size_t most) {
    std::string out(most, '\0');
    const auto room = std::as_writable_bytes(std::span(out));
    if (mode_ == websocket_mode::messages) {
      const auto part = core.read_message(room);
      if (!part) return end_with(part.error());
      return void(seen.append(out, 0, part->size));
    }
    if (most % 3 == 0) {
      const auto shown = core.peek();
      if (!shown) return end_with(shown.error());
      const std::size_t size = std::min(shown->size(), most);
      seen += as_text(shown->first(size));
      return core.consume(size);
    }
    const auto size = core.read(room);
    if (!size) return end_with(size.error());
    seen.append(out, 0, *size);
  }

  void end_with(std::error_code why) {
    if (why == errc::would_block) return check(!read_end);
    check(!read_end || read_end == why);
    read_end = why;
  }

  void flush(std::size_t most, time_point now) {
    std::array<bytes, 4> pieces;
    const std::size_t count = core.poll_output(now, pieces);
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const bytes part = pieces[i].first(std::min(pieces[i].size(), most - size));
      wire += as_text(part);
      size += part.size();
    }
    core.sent(size);
  }

  testkit::fake_random random_;

 public:
  websocket_connection core;

 private:
  websocket_mode mode_;
  bool closed_ = false;
};

class play {
 public:
  explicit play(websocket_mode mode)
      : ends_{end(websocket_role::client, mode), end(websocket_role::server, mode)} {}

  void run(bytes input) {
    while (input.size() >= 2) {
      const auto code = std::to_integer<unsigned>(input[0]);
      const std::size_t size = std::min(std::to_integer<std::size_t>(input[1]), input.size() - 2);
      operate(code, input.subspan(2, size));
      input = input.subspan(2 + size);
    }
    check_content();
  }

 private:
  void operate(unsigned code, bytes piece) {
    end& self = ends_[code & 1];
    end& other = ends_[1 - (code & 1)];
    now_ += std::chrono::milliseconds((code >> 5) * 37);
    switch (code >> 1 & 15) {
      case 8:
      case 9:
      case 10: {
        if (!self.core.wants_input()) break;
        const std::size_t size = std::min(other.wire.size(), piece.size() * 4 + 1);
        self.deliver(as_bytes(other.wire).first(size), now_, (code & 32) != 0);
        other.wire.erase(0, size);
        break;
      }
      case 11:
        forged_ = forged_ || !piece.empty();
        self.deliver(piece, now_, false);
        break;
      case 12: now_ += std::chrono::seconds(piece.size()); break;
      case 13: self.core.receive_end(now_); break;
      case 14: self.core.carrier_lost(errc::unreachable); break;
      case 15:
        if (piece.size() > 200) self.core.reset();
        break;
      default: self.operate(code >> 1 & 7, piece, now_);
    }
    self.settle();
    other.settle();
  }

  /// Without forgery each end has read a beginning of what the other wrote, all of it after eof.
  void check_content() {
    for (const int i : {0, 1}) {
      const end& self = ends_[i];
      const end& other = ends_[1 - i];
      if (forged_) continue;
      check(other.written.starts_with(self.seen));
      if (self.read_end == errc::eof) check(self.seen == other.written);
    }
  }

  end ends_[2];
  time_point now_{std::chrono::seconds(1)};
  bool forged_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const bytes operations = std::as_bytes(std::span(input, size));
  play(input[0] % 2 == 0 ? websocket_mode::stream : websocket_mode::messages)
      .run(operations.subspan(1));
  return 0;
}
