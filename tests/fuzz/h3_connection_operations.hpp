// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "strata/h3/core/connection.hpp"

/// What both connection targets share: one core, driven by operations that the input spells.
namespace strata::h3::fuzz {

using core::connection;
using core::event_kind;
using transport::bytes;

inline void check(bool holds) {
  if (!holds) std::abort();
}

/// Bytes that follow from nothing, so that runs repeat.
class fixed_random final : public transport::random_source {
 public:
  void fill(transport::mutable_bytes out) override {
    std::fill(out.begin(), out.end(), std::byte{7});
  }
};

class player {
 public:
  explicit player(role which)
      : core_({.role = which, .max_requests = 64, .enable_connect_protocol = true}, random_),
        is_client_(which == role::client) {
    drain();
  }

  void play(bytes input) {
    while (input.size() >= 3 && core_.closed() == nullptr) {
      const auto kind = std::to_integer<unsigned>(input[0]);
      const std::uint64_t id = std::to_integer<std::uint64_t>(input[1]);
      const std::size_t size = std::min(std::to_integer<std::size_t>(input[2]), input.size() - 3);
      const bytes piece = input.subspan(3, size);
      input = input.subspan(3 + size);
      now_ += std::chrono::milliseconds(kind >> 4);
      operate(kind & 15, id, piece);
      drain();
      if (core_.closed() == nullptr) check(core_.request_count() <= 256);
    }
  }

 private:
  struct stream {
    std::vector<std::byte> unread;
    bool fin = false;
    bool over = false;
  };

  void operate(unsigned kind, std::uint64_t id, bytes piece) {
    const std::uint64_t request = id & ~std::uint64_t{3};
    switch (kind) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: return feed(id, piece, false);
      case 5: return feed(id, piece, true);
      case 6: streams_[id].over = true; return core_.stream_reset(now_, id, piece.size());
      case 7: return core_.stop_sending(now_, id, piece.size());
      case 8: return core_.handle_timeout(now_ += std::chrono::seconds(id));
      case 9:
        if (is_client_) (void)core_.open_request(request);
        return;
      case 10: return send_head(request, piece);
      case 11: (void)core_.request(request).send_body({&piece, 1}, (id & 1) != 0); return drain();
      case 12: (void)core_.request(request).send_trailers({}); return;
      case 13: return core_.request(request).reset(error_code::request_cancelled);
      case 14: return core_.request(request).stop_reading(error_code::no_error);
      default: return core_.shutdown();
    }
  }

  void send_head(std::uint64_t id, bytes piece) {
    const field_line request[] = {{":method", piece.size() % 2 ? "GET" : "CONNECT"},
                                  {":authority", "a:1"}};
    const field_line response[] = {{":status", piece.size() % 3 ? "200" : "103"},
                                   {"x", transport::as_text(piece)}};
    if (is_client_) {
      (void)core_.request(id).send_headers(request, piece.size() > 9);
    } else {
      (void)core_.request(id).send_headers(response, piece.size() > 9);
    }
  }

  void feed(std::uint64_t id, bytes piece, bool fin) {
    stream& target = streams_[id];
    if (target.over || target.fin) return;
    target.fin = fin;
    target.unread.insert(target.unread.end(), piece.begin(), piece.end());
    for (bool progress = true; progress && !target.over;) {
      const core::received result = core_.receive(now_, id, target.unread, target.fin);
      check(result.consumed + result.body.size() <= target.unread.size());
      if (!result.body.empty()) check(result.body.data() == target.unread.data() + result.consumed);
      std::size_t done = result.consumed;
      const std::size_t read = result.body.size() / 2 + result.body.size() % 2;
      if (read != 0) core_.request(id).consume_body(read);
      done += read;
      target.unread.erase(target.unread.begin(),
                          target.unread.begin() + static_cast<std::ptrdiff_t>(done));
      progress = done != 0;
      field_section section;
      if (core_.request(id).take_section(section)) {
        progress = true;
        check(section.field_section_size() <= core::limits::max_field_section_size);
      }
      drain();
    }
  }

  void drain() {
    for (core::event event; core_.poll_event(event);) {
      check(!closed_);
      closed_ = event.kind == event_kind::closed;
    }
    check(closed_ == (core_.closed() != nullptr));
    for (core::transport_command command; core_.poll_command(command);) {
      using enum core::transport_command::kind_type;
      if (command.kind == open_unidirectional) core_.opened(next_own_ += 4);
      if (command.kind == stop) streams_[command.stream_id].over = true;
    }
    for (core::output output; core_.poll_output(output);) {
      std::size_t size = 0;
      for (const bytes piece : output.pieces) size += piece.size();
      ++writes_;
      core_.sent(output.stream_id, writes_ % 3 == 0 ? size / 2 : size);
      if (writes_ % 6 == 0) core_.writable(output.stream_id);
    }
  }

  fixed_random random_;
  connection core_;
  bool is_client_;
  bool closed_ = false;
  transport::time_point now_{std::chrono::seconds(1)};
  std::uint64_t next_own_ = 1003;
  unsigned writes_ = 0;
  std::map<std::uint64_t, stream> streams_;
};

}  // namespace strata::h3::fuzz
