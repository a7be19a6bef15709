// SPDX-License-Identifier: Apache-2.0
// The link of a tunnel against a peer that says any words in any order, and bytes that are no
// frames; and the line of a tunnelled stream.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/tunnel/tunnel_link.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
namespace core = strata::proxy::core;
namespace limits = strata::proxy::core::limits;
using transport::bytes;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

/// However it is cut, the line says the same; and what it says can be said again.
void check_line(bytes input) {
  core::tunnel_request_parser whole;
  const auto size = whole.receive(input);
  core::tunnel_request_parser cut;
  std::size_t taken = 0;
  std::error_code error;
  while (taken < input.size() && !cut.is_done() && !error) {
    const auto one = cut.receive(input.subspan(taken, 1));
    if (!one) error = one.error();
    taken += one.value_or(0);
  }
  check(cut.is_done() == whole.is_done());
  if (size && whole.is_done()) check(taken == *size && taken <= limits::max_tunnel_request);
  if (!whole.is_done()) return;
  check(cut.where() == whole.where());
  const auto again = core::make_tunnel_request(whole.where());
  if (!again) return;  // names that only others would write
  core::tunnel_request_parser third;
  check(third.receive(transport::as_bytes(*again)) == again->size());
  check(third.where() == whole.where());
}

class talk {
 public:
  explicit talk(bool is_client)
      : link_(config(is_client), random_), peer_(peer_config(is_client), random_) {
    link_.begin(now_);
  }

  void run(transport::buffer_reader ops) {
    while (!ops.empty()) step(ops);
    link_.receive_end(now_);
    events();
    read();
    check(link_.closed() != nullptr);
    check(link_.ahead().has_value());
  }

 private:
  static core::tunnel_link_config config(bool is_client) {
    core::tunnel_link_config made;
    made.opening_timeout = std::chrono::seconds(10);
    made.websocket.watermark = 64;
    if (is_client) made.where = transport::target("a.test", 1);
    return made;
  }
  static transport::websocket_config peer_config(bool is_client) {
    transport::websocket_config made;
    made.role = is_client ? transport::websocket_role::server : transport::websocket_role::client;
    made.mode = transport::websocket_mode::messages;
    return made;
  }

  void step(transport::buffer_reader& ops) {
    static constexpr std::array<std::string_view, 6> words = {
        "CONNECT:a.test:80|first", "CONNECTED", "CLOSE", "ERROR:no", "CONNECT:", "x"};
    const std::uint8_t op = ops.u8();
    const bytes rest = ops.rest();
    switch (op & 7) {
      case 0: say(transport::websocket_kind::text, words[(op >> 3) % words.size()]); break;
      case 1: say(transport::websocket_kind::binary, std::string(op >> 3, '\0')); break;
      case 2: {
        const bytes raw = rest.first(std::min<std::size_t>(rest.size(), op >> 3));
        ops.skip(raw.size());
        give(transport::as_text(raw));
        break;
      }
      case 3: read(); break;
      case 4: write(op >> 3); break;
      case 5: command(op >> 3); break;
      case 6: pass((op >> 3) + 1); break;
      case 7:
        now_ += std::chrono::seconds(op >> 3);
        if (const auto due = link_.next_timeout(); due && *due <= now_) link_.handle_timeout(now_);
        break;
    }
    events();
  }

  void say(transport::websocket_kind kind, std::string_view text) {
    const bytes piece = transport::as_bytes(text);
    (void)peer_.send(kind, {&piece, 1}, true);
  }

  void give(std::string_view raw) {
    const std::string loan(raw);
    link_.receive(now_, transport::as_bytes(loan));
    events();
    if (reads_at_once_) read();
    link_.release_input();
  }

  void read() {
    std::array<std::byte, 24> room;
    const transport::mutable_bytes piece(room);
    for (;;) {
      const auto ahead = link_.ahead();
      const auto size = link_.read({&piece, 1});
      check(!size || (*size > 0 && *size <= room.size()));
      // What was said of a read before it holds.
      if (ahead == std::error_code()) check(size.has_value());
      if (ahead && *ahead) check(!size && size.error() == *ahead);
      if (!size) return;
    }
  }

  void write(std::size_t size) {
    const std::string text(size * 8, 'w');
    const bytes piece = transport::as_bytes(text);
    const auto taken = link_.write({&piece, 1});
    check(!taken || *taken <= text.size());
  }

  void command(std::uint8_t which) {
    switch (which) {
      case 0: link_.accept(); break;
      case 1: link_.refuse("no"); break;
      case 2: (void)link_.finish(); break;
      case 3: link_.reset(); break;
      case 4: reads_at_once_ = !reads_at_once_; break;
      default: break;
    }
  }

  void pass(std::size_t step) {
    std::array<bytes, 4> pieces;
    std::string out;
    for (std::size_t count; (count = peer_.poll_output(now_, pieces)) != 0;) {
      std::string all;
      for (std::size_t i = 0; i < count; ++i) all += transport::as_text(pieces[i]);
      peer_.sent(all.size());
      for (std::size_t i = 0; i < all.size(); i += step)
        give(std::string_view(all).substr(i, step));
    }
    for (std::size_t count; (count = link_.poll_output(now_, pieces)) != 0;) {
      std::string all;
      for (std::size_t i = 0; i < count; ++i) all += transport::as_text(pieces[i]);
      link_.sent(all.size());
      events();
      peer_.receive(now_, transport::as_bytes(all));
      std::array<std::byte, 256> room;
      while (peer_.read_message(room)) {}
      peer_.release_input();
      // Whatever the peer said, this side's messages are in order.
      const auto* closed = peer_.closed();
      check(closed == nullptr || closed->code != transport::websocket_code::protocol_error ||
            closed->by_peer);
    }
    transport::websocket_event one;
    while (peer_.poll_event(one)) {}
  }

  void events() {
    core::tunnel_link::event one;
    while (link_.poll_event(one)) {
      if (one == core::tunnel_link::event::ready) check(!std::exchange(was_ready_, true));
    }
  }

  testkit::fake_random random_{1};
  core::tunnel_link link_;
  transport::websocket_connection peer_;
  transport::time_point now_{std::chrono::seconds(1)};
  bool reads_at_once_ = true;
  bool was_ready_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const bytes all = std::as_bytes(std::span(input, size));
  if ((input[0] & 2) != 0) {
    check_line(all.subspan(1));
  } else {
    talk((input[0] & 1) != 0).run(transport::buffer_reader(all.subspan(1)));
  }
  return 0;
}
