// SPDX-License-Identifier: Apache-2.0
#include "testkit/mux/yamux_link.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "strata/mux/core/yamux_session.hpp"
#include "testkit/fake_random.hpp"
#include "testkit/mux/byte_pipe.hpp"

namespace strata::testkit {

using mux::core::event_kind;
using transport::bytes;
using transport::time_point;

namespace {

constexpr std::size_t block_size = 256 * 1024;
constexpr std::size_t read_size = 128 * 1024;

mux::core::yamux_config with_role(mux::core::yamux_config config, mux::role side) {
  config.role = side;
  return config;
}

class link_world {
 public:
  explicit link_world(const link_transfer& made)
      : plan_(made),
        client_(with_role(made.config, mux::role::client), random_),
        server_(with_role(made.config, mux::role::server), random_),
        block_(block_size, std::byte{0x5a}),
        page_(block_size) {
    for (byte_pipe* const pipe : {&up_, &down_}) {
      pipe->delay = made.round_trip / 2;
      pipe->bytes_per_second = made.bits_per_second / 8;
      pipe->capacity = made.carrier_window;
    }
  }

  link_outcome run() {
    const time_point begun = now_;
    open_streams();
    while (outcome_.received < total_) step();
    outcome_.took = now_ - begun;
    outcome_.last_half = now_ - half_;
    outcome_.measured_round_trip = server_.control().statistics().smoothed_rtt;
    return outcome_;
  }

 private:
  struct sending {
    std::uint32_t id = 0;
    std::uint64_t left = 0;
  };

  void open_streams() {
    for (std::size_t i = 0; i < plan_.streams; ++i)
      sending_.push_back({client_.open().value(), plan_.bytes / plan_.streams});
    total_ = plan_.bytes / plan_.streams * plan_.streams;
    for (sending& of : sending_) lend(of);
  }

  void lend(sending& of) {
    const bytes piece = bytes(block_).first(std::min<std::uint64_t>(of.left, block_.size()));
    if (piece.empty()) return;
    of.left -= client_.stream(of.id).lend({&piece, 1}).value();
  }

  void step() {
    flush(client_, up_);
    flush(server_, down_);
    now_ = next_event();
    deliver(down_, client_);
    deliver(up_, server_);
    for (auto* const session : {&client_, &server_})
      if (const auto due = session->next_timeout(); due && *due <= now_)
        session->handle_timeout(now_);
    serve_client();
    read_all();
  }

  void flush(mux::core::yamux_session& from, byte_pipe& to) {
    std::array<bytes, 64> list;
    for (;;) {
      const std::size_t count = from.poll_output(now_, list);
      const std::size_t taken = to.take(now_, std::span(list).first(count), SIZE_MAX);
      from.sent(taken);
      if (taken == 0) return;
      if (&from == &client_) serve_client();
    }
  }

  void deliver(byte_pipe& from, mux::core::yamux_session& to) {
    while (from.has_arrived(now_) && to.wants_input()) {
      const std::vector<std::byte> input = from.give(now_, read_size);
      to.receive(now_, input);
      if (&to == &server_) read_all();
      to.release_input();
    }
  }

  void serve_client() {
    for (mux::core::event one; client_.poll_event(one);) {
      if (one.kind == event_kind::closed) throw std::logic_error("the session ended");
      if (one.kind != event_kind::written) continue;
      lend(*std::ranges::find(sending_, one.stream, &sending::id));
    }
  }

  void read_all() {
    while (const auto id = server_.accept()) accepted_.push_back(*id);
    for (mux::core::event one; server_.poll_event(one);) {
      if (one.kind == event_kind::closed) throw std::logic_error("the session ended");
      if (one.kind == event_kind::readable) read(one.stream);
    }
    for (const std::uint32_t id : std::exchange(accepted_, {})) read(id);
  }

  void read(std::uint32_t id) {
    const transport::mutable_bytes to = page_;
    while (const auto size = server_.stream(id).read({&to, 1})) outcome_.received += *size;
    if (outcome_.received < total_ / 2) half_ = now_;
  }

  /// Bytes that arrive, a timer, or room in a carrier that was full, which comes with the first.
  time_point next_event() const {
    std::optional<time_point> next;
    const auto consider = [&next](time_point when) {
      if (!next || when < *next) next = when;
    };
    for (const byte_pipe* const pipe : {&up_, &down_})
      if (!pipe->empty()) consider(pipe->next_arrival());
    for (const auto* const session : {&client_, &server_})
      if (const auto due = session->next_timeout()) consider(*due);
    if (!next || *next - now_ > std::chrono::seconds(5))
      throw std::logic_error("the transfer has come to a halt");
    return std::max(*next, now_);
  }

  link_transfer plan_;
  fake_random random_{1};
  mux::core::yamux_session client_;
  mux::core::yamux_session server_;
  byte_pipe up_;
  byte_pipe down_;
  std::vector<std::byte> block_;
  std::vector<std::byte> page_;
  std::vector<sending> sending_;
  std::vector<std::uint32_t> accepted_;
  std::uint64_t total_ = 0;
  time_point now_{std::chrono::hours(1)};
  time_point half_ = now_;
  link_outcome outcome_;
};

}  // namespace

link_outcome run_link(const link_transfer& made) { return link_world(made).run(); }

}  // namespace strata::testkit
