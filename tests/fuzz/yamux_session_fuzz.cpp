// SPDX-License-Identifier: Apache-2.0
// Input: a first byte for the role, then operations of three bytes and a piece: frames as any peer
// may send them, well formed or not, in any order, and whatever an application does meanwhile.
// What the session sends must be fit for every peer, and its bounds hold.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "core/yamux/frame.hpp"
#include "strata/mux/core/yamux_session.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/fake_random.hpp"
#include "testkit/mux/yamux_wire_checker.hpp"

namespace {

using namespace strata;
using namespace strata::mux::core;
using transport::bytes;

void check(bool holds) {
  if (!holds) std::abort();
}

class player {
 public:
  explicit player(mux::role side) : random_(1), session_(config(side), random_), checker_(side) {}

  static yamux_config config(mux::role side) {
    yamux_config made{.role = side};
    made.max_buffered = 400'000;
    made.max_streams = made.max_incoming_streams = 20;
    made.accept_backlog = made.ack_backlog = 8;
    return made;
  }

  void play(bytes input) {
    while (input.size() >= 3) {
      const auto kind = std::to_integer<unsigned>(input[0]);
      const auto id = std::to_integer<std::uint32_t>(input[1]) % 24;
      const auto value = std::to_integer<std::uint32_t>(input[2]);
      input = input.subspan(3);
      const bytes piece = input.first(std::min<std::size_t>(value % 64, input.size()));
      operate(kind % 32, id, value, piece);
      if (kind % 32 < 10) input = input.subspan(piece.size());
      drain();
    }
    flush(SIZE_MAX, false);
    drain();
  }

 private:
  void operate(unsigned kind, std::uint32_t id, std::uint32_t value, bytes piece) {
    yamux_stream_view stream = session_.stream(id);
    const auto flags = static_cast<std::uint16_t>(1u << value % 4);
    switch (kind) {
      case 0: return receive(piece);
      case 1:
      case 2: return receive_frame({frame_type::data, 0, id, 0}, piece);
      case 3: return receive_frame({frame_type::data, flags, id, 0}, piece);
      case 4:
        return receive_frame({frame_type::data, 0, id, value << 10}, large_.first(value << 10));
      case 5: return receive_frame({frame_type::window_update, 0, id, value << 12}, {});
      case 6: return receive_frame({frame_type::window_update, flags, id, value}, {});
      case 7:
        return receive_frame({frame_type::ping, value % 2 ? flag::syn : flag::ack, 0, id}, {});
      case 8: return receive_frame({frame_type::go_away, 0, 0, value % 3 == 0 ? id % 4 : 0}, {});
      case 9: return receive_frame({frame_type::window_update, flags, id, value << 24}, {});
      case 10: (void)session_.open(); return;
      case 11: (void)session_.accept(); return;
      case 12:
      case 13: {
        const bytes copied = large_.first(value << 8);
        const auto taken = stream.write({&copied, 1});
        return check(!taken || *taken <= copied.size());
      }
      case 14: return lend(stream, value);
      case 15: check(stream.revoke() <= 65'536); return;
      case 16:
      case 17: return read(stream, value);
      case 18: return stream.consume(value);
      case 19: (void)stream.finish(); return;
      case 20: return stream.reset(value);
      case 21: return stream.stop();
      case 22: return stream.forget();
      case 23: return value % 16 == 0 ? session_.control().go_away() : session_.control().ping();
      case 24:
        if (value % 32 == 0) session_.control().close(now_, mux::go_away_code::normal);
        return;
      case 25:
        now_ += std::chrono::milliseconds(value * value);
        return session_.handle_timeout(now_);
      case 26:
        if (value == 0) session_.receive_end(now_), carrier_ended_ = true;
        if (value == 1) session_.carrier_lost({}), carrier_ended_ = true;
        return;
      case 27:
      case 28: return flush(value << 6, false);
      case 29: return flush(value, true);
      default: return flush(SIZE_MAX, false);
    }
  }

  void receive_frame(frame_header header, bytes payload) {
    if (header.type == frame_type::data) header.length = static_cast<std::uint32_t>(payload.size());
    std::vector<std::byte> input(frame_header::encoded_size);
    encode(header, input.data());
    input.insert(input.end(), payload.begin(), payload.end());
    receive(input);
  }

  void receive(bytes input) {
    if (carrier_ended_) return;
    // A copy of its own size, so that reading past its end, or after its release, is seen.
    const std::vector<std::byte> lent(input.begin(), input.end());
    if (session_.control().closed() == nullptr) checker_.heard(lent);
    session_.receive(now_, lent);
    if (lent.size() % 3 == 1) read(session_.stream(last_), 50);
    session_.release_input();
  }

  void lend(yamux_stream_view stream, std::uint32_t value) {
    const bytes piece = large_.first(value << 8);
    (void)stream.lend({&piece, 1});
  }

  void read(yamux_stream_view stream, std::uint32_t value) {
    last_ = stream.id();
    std::array<std::byte, 256> memory;
    const transport::mutable_bytes piece = std::span(memory).first(value);
    const auto size = stream.read({&piece, 1});
    check(!size || *size <= value);
    bool end = false;
    (void)stream.peek(end);
  }

  void flush(std::size_t most, bool acts) {
    if (carrier_ended_) return;
    std::array<bytes, 12> list;
    const std::size_t count = session_.poll_output(now_, list);
    if (acts) {
      session_.stream(last_).reset(1);
      session_.stream(last_ + 1).forget();
      (void)session_.open();
    }
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count && taken != most; ++i) {
      const bytes piece = list[i].first(std::min(list[i].size(), most - taken));
      checker_.sent(piece);
      taken += piece.size();
    }
    session_.sent(taken);
  }

  void drain() {
    for (event one; session_.poll_event(one);) {
      check(!closed_);
      closed_ = one.kind == event_kind::closed;
    }
    check(closed_ == (session_.control().closed() != nullptr));
    const auto now = session_.control().statistics();
    check(now.streams_open <= 20);
    check(now.unread <= 20 * 16 * 1024 * 1024);
    check(now.window_growth_left <= limits::yamux::window_growth);
    if (const auto due = session_.next_timeout()) check(*due > now_ - std::chrono::hours(24));
  }

  static bytes large() {
    static const std::vector<std::byte> memory(300'000, std::byte{7});
    return memory;
  }

  bytes large_ = large();
  testkit::fake_random random_;
  yamux_session session_;
  testkit::yamux_wire_checker checker_;
  transport::time_point now_{std::chrono::hours(100)};
  std::uint32_t last_ = 1;
  bool closed_ = false;
  bool carrier_ended_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const bytes all = std::as_bytes(std::span(input, size));
  if (all.empty()) return 0;
  const bool client = std::to_integer<int>(all[0]) % 2 == 0;
  player(client ? mux::role::client : mux::role::server).play(all.subspan(1));
  return 0;
}
