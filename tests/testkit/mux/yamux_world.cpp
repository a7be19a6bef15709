// SPDX-License-Identifier: Apache-2.0
#include "testkit/mux/yamux_world.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::testkit {

using namespace std::chrono_literals;
using transport::bytes;

yamux_world::yamux_world(const plan& made, choices& chosen, std::uint64_t seed)
    : plan_(made), chosen_(chosen) {
  plan_.client.role = mux::role::client;
  plan_.server.role = mux::role::server;
  nodes_[0] = std::make_unique<node>(plan_.client, chosen_, seed + 1);
  nodes_[1] = std::make_unique<node>(plan_.server, chosen_, seed + 2);
  for (std::size_t i = 0; i < 2; ++i) {
    pipes_[i].capacity = plan_.capacity;
    pipes_[i].delay = plan_.delay;
    nodes_[i]->out = &pipes_[i];
    nodes_[i]->in = &pipes_[1 - i];
    nodes_[i]->application.gives_up = plan_.gives_up;
    const auto& config = i == 0 ? plan_.client : plan_.server;
    nodes_[i]->application.forgets_in_time =
        config.close_timeout.count() != 0 || config.open_timeout.count() != 0;
  }
  nodes_[1]->application.reads = !plan_.slow_reader;
}

void yamux_world::step() {
  node& of = *nodes_[chosen_.below(2)];
  switch (chosen_.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3: of.application.act(); break;
    case 4:
    case 5: flush(of, false); break;
    case 6: flush(of, true); break;
    case 7:
    case 8: deliver(of, 1 + chosen_.below(chosen_.one_in(3) ? 20 : 70'000)); break;
    case 9: of.application.handle_events(); break;
    case 10: wake(of); break;
    default: pass_time();
  }
  check(of);
}

void yamux_world::flush(node& of, bool acts) {
  if (of.carrier_ended) return;
  std::vector<bytes> list(2 + chosen_.below(60));
  const std::size_t count = of.session.poll_output(now_, list);
  const std::vector<bytes> pieces(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
  if (acts) {
    for (std::uint64_t i = chosen_.below(3) + 1; i != 0; --i) of.application.act_during_output();
  }
  const std::size_t most = chosen_.one_in(4) ? chosen_.below(200) : SIZE_MAX;
  std::size_t taken = of.out->take(now_, pieces, most);
  std::size_t left = taken;
  for (const bytes piece : pieces) {
    const std::size_t size = std::min(left, piece.size());
    of.checker.sent(piece.first(size));
    left -= size;
  }
  if (of.session.control().closed() == nullptr || taken != 0) of.idle_wakes = 0;
  of.session.sent(taken);
  of.application.output_done();
}

void yamux_world::deliver(node& to, std::size_t most) {
  if (to.carrier_ended) return;
  if (to.in->ended && to.in->empty()) {
    to.session.receive_end(now_);
    to.carrier_ended = true;
    return;
  }
  if (!to.session.wants_input() && to.session.control().closed() == nullptr) return;
  const std::vector<std::byte> input = to.in->give(now_, most);
  if (input.empty()) return;
  to.idle_wakes = 0;
  to.checker.heard(input);
  to.session.receive(now_, input);
  if (chosen_.one_in(2)) to.application.handle_events();
  for (std::uint64_t i = chosen_.below(4); i != 0; --i) to.application.act();
  to.session.release_input();
}

void yamux_world::wake(node& of) {
  const auto due = of.session.next_timeout();
  if (!due || *due > now_) return;
  of.session.handle_timeout(now_);
  const auto again = of.session.next_timeout();
  if (again && *again <= now_ && ++of.idle_wakes > 10) throw std::logic_error("a timer that spins");
}

std::optional<yamux_world::time_point> yamux_world::next_due() const {
  std::optional<time_point> next;
  const auto consider = [&next](time_point when) {
    if (!next || when < *next) next = when;
  };
  for (const auto& of : nodes_)
    if (const auto due = of->session.next_timeout()) consider(*due);
  for (const byte_pipe& pipe : pipes_)
    if (!pipe.empty() && !pipe.stalled) consider(pipe.next_arrival());
  return next;
}

void yamux_world::move_clock(transport::duration by) { now_ += by; }

void yamux_world::pass_time() {
  if (plan_.stalls && chosen_.one_in(20)) {
    byte_pipe& pipe = pipes_[chosen_.below(2)];
    pipe.stalled = !pipe.stalled || silent_;
  }
  if (plan_.slow_reader && chosen_.one_in(200)) nodes_[1]->application.reads = true;
  if (plan_.clock_jumps && chosen_.one_in(100)) {
    move_clock(std::chrono::minutes(chosen_.below(600)));
  } else if (chosen_.one_in(10)) {
    move_clock(std::chrono::milliseconds(chosen_.below(2000)));
  } else {
    move_clock(std::chrono::microseconds(chosen_.below(20'000)));
  }
}

void yamux_world::cut_carrier(cut how) {
  if (std::exchange(is_cut_, true)) return;
  for (auto& of : nodes_) {
    if (how == cut::reset && !of->carrier_ended) {
      of->session.carrier_lost(make_error_code(transport::errc::unreachable));
      of->carrier_ended = true;
    }
  }
  for (byte_pipe& pipe : pipes_) {
    if (how == cut::ended) pipe.ended = true;
    if (how == cut::silent) pipe.stalled = true;
    if (how != cut::ended) pipe.clear();
  }
  silent_ = how == cut::silent;
}

void yamux_world::check(node& of) {
  const auto now = of.session.control().statistics();
  const mux::core::yamux_config& config = &of == nodes_[0].get() ? plan_.client : plan_.server;
  if (now.streams_open > config.max_streams) throw std::logic_error("too many streams");
  // What was under way when input was not wanted any more came in one piece at most.
  if (now.unread > config.max_buffered + 70'000 + 64 * 1024)
    throw std::logic_error("too many unread bytes");
  if (now.window_growth_left > config.window_growth)
    throw std::logic_error("more growth than there was");
  const mux::close_reason* const closed = of.session.control().closed();
  if (closed != nullptr && (closed->origin == mux::close_reason::origin_kind::local_session ||
                            closed->cause == mux::errc::peer_saw_violation))
    throw std::logic_error("a session of ours offends ours: " + closed->describe());
}

bool yamux_world::over() const {
  return std::ranges::all_of(nodes_, [](const auto& of) {
    return of->session.control().closed() != nullptr && of->session.finished();
  });
}

bool yamux_world::converge() {
  for (byte_pipe& pipe : pipes_) {
    pipe.stalled = silent_;
    pipe.capacity = std::max<std::size_t>(pipe.capacity, 64 * 1024);
  }
  for (auto& of : nodes_) {
    of->application.may_open = false;
    of->application.reads = true;
    // Nobody else would ever notice.
    if (silent_ && of->keep_alive.count() == 0) of->application.close(now_);
  }
  for (int round = 0; round < 20'000; ++round) {
    bool done = true;
    for (auto& of : nodes_) {
      deliver(*of, 1 << 20);
      of->application.handle_events();
      done = of->application.wind_up() && done;
      of->application.handle_events();
      flush(*of, false);
      wake(*of);
      check(*of);
      of->out->ended = of->out->ended || (of->session.finished() && !silent_);
    }
    const bool quiet = std::ranges::all_of(
        pipes_, [](const byte_pipe& one) { return one.empty() || one.stalled; });
    const bool none_open = std::ranges::all_of(nodes_, [](const auto& of) {
      return of->session.control().statistics().streams_open == 0;
    });
    if (done && over()) return true;
    if (done && quiet && none_open && !silent_) return true;
    if (const auto due = next_due(); due && *due > now_) now_ = *due;
  }
  return false;
}

void yamux_world::compare() const {
  for (std::size_t side = 0; side < 2; ++side) {
    const auto& written = nodes_[side]->application.records();
    const auto& seen = nodes_[1 - side]->application.records();
    for (const auto& [id, reader] : seen) {
      const auto found = written.find(id);
      if (found == written.end()) {  // It was refused, or given up before it was accepted.
        if (reader.read != 0 || reader.saw_end) throw std::logic_error("a stream out of nothing");
        continue;
      }
      const stream_record& writer = found->second;
      const std::string which = ", stream " + std::to_string(id);
      if (reader.saw_end && (!writer.finished || reader.read != writer.written))
        throw std::logic_error("an end that was not written" + which);
      if (reader.told_reset && !writer.reset)
        throw std::logic_error("a reset that nobody made" + which);
      const bool disturbed = reader.reset || writer.reset;
      const bool alive = nodes_[0]->session.control().closed() == nullptr &&
                         nodes_[1]->session.control().closed() == nullptr;
      if (!disturbed && alive && !reader.saw_end)
        throw std::logic_error("an end that never came" + which);
    }
  }
}

std::string yamux_world::text() const {
  std::string made;
  for (std::size_t side = 0; side < 2; ++side) {
    const auto now = nodes_[side]->session.control().statistics();
    const mux::close_reason* const closed = nodes_[side]->session.control().closed();
    made += (side == 0 ? "client: " : "; server: ") +
            (closed != nullptr ? closed->describe() : std::string("open")) + ", streams " +
            std::to_string(now.streams_opened) + "/" + std::to_string(now.streams_open) +
            ", sent " + std::to_string(now.payload_sent) + " in " +
            std::to_string(now.frames_sent) + ", received " + std::to_string(now.payload_received) +
            ", glitches " + std::to_string(now.glitches);
  }
  return made + "; seconds " + std::to_string(elapsed() / 1s);
}

}  // namespace strata::testkit
