// SPDX-License-Identifier: Apache-2.0
#include "testkit/mux/yamux_application.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::testkit {

using mux::core::event_kind;
using transport::bytes;
using transport::errc;
using transport::mutable_bytes;

namespace {

[[noreturn]] void fail(const std::string& what, std::uint32_t id) {
  throw std::logic_error(what + ", stream " + std::to_string(id));
}

mux::role other(mux::role side) {
  return side == mux::role::client ? mux::role::server : mux::role::client;
}

}  // namespace

void write_content(std::uint32_t id, mux::role side, std::uint64_t offset,
                   transport::mutable_bytes out) {
  // A prime: what is moved by any power of two is seen.
  static const std::vector<std::byte> pattern = [] {
    std::vector<std::byte> made(65'521);
    fake_random(1).fill(made);
    return made;
  }();
  std::uint64_t at = offset + id * 2 * 9973 + (side == mux::role::client ? 4999 : 0);
  while (!out.empty()) {
    at %= pattern.size();
    const std::size_t size = std::min<std::size_t>(out.size(), pattern.size() - at);
    transport::copy_bytes(out.data(), bytes(pattern).subspan(at, size));
    out = out.subspan(size);
    at += size;
  }
}

yamux_application::yamux_application(mux::core::yamux_session& session, mux::role side,
                                     choices& chosen)
    : session_(session), side_(side), chosen_(chosen) {}

std::vector<std::byte> yamux_application::content(std::uint32_t id, std::uint64_t offset,
                                                  std::size_t size) const {
  std::vector<std::byte> made(size);
  write_content(id, side_, offset, made);
  return made;
}

void yamux_application::handle_events() {
  for (mux::core::event one; session_.poll_event(one);) {
    if (closed_) fail("an event behind `closed`", one.stream);
    handle(one);
  }
}

void yamux_application::handle(const mux::core::event& one) {
  switch (one.kind) {
    case event_kind::stream_opened: return accept_all();
    case event_kind::streams_available:
    case event_kind::acknowledged:
    case event_kind::pong:
    case event_kind::go_away: return;
    case event_kind::closed:
      closed_ = true;
      for (auto& [id, of] : streams_) hand_back(of);
      return;
    default: break;
  }
  const auto found = streams_.find(one.stream);
  if (found == streams_.end()) fail("an event of a stream that was forgotten", one.stream);
  entry& of = found->second;
  switch (one.kind) {
    case event_kind::readable:
      if (!std::exchange(of.wants_readable, false)) fail("readable twice", one.stream);
      return;
    case event_kind::writable:
      if (!std::exchange(of.wants_writable, false)) fail("writable unasked", one.stream);
      return;
    case event_kind::written:
      if (of.lent == nullptr) fail("written, and nothing was lent", one.stream);
      records_[one.stream].written += of.lent->size();
      of.lent.reset();
      return;
    case event_kind::read_reset: return note_reset(one.stream);
    case event_kind::write_stopped: hand_back(of); return note_reset(one.stream);
    default: return;
  }
}

void yamux_application::note_reset(std::uint32_t id) {
  bool end = false;
  const auto read = session_.stream(id).peek(end);
  const auto written = session_.stream(id).write({});
  const bool timed_out = (!read && read.error() == errc::timed_out) ||
                         (!written && written.error() == errc::timed_out);
  (timed_out ? records_[id].reset : records_[id].told_reset) = true;
}

void yamux_application::hand_back(entry& of) {
  if (of.lent == nullptr) return;
  if (output_under_way_) {
    retained_.push_back(std::move(of.lent));
  } else {
    of.lent.reset();
  }
}

void yamux_application::act_during_output() {
  output_under_way_ = true;
  act();
}

void yamux_application::output_done() {
  output_under_way_ = false;
  retained_.clear();
}

void yamux_application::act() {
  const std::uint64_t what = chosen_.below(40);
  if (what == 0 && may_open) return open();
  if (what == 1) return session_.control().ping();
  if (what == 2) return accept_all();
  if (streams_.empty()) return may_open ? open() : void();
  auto picked = streams_.begin();
  std::advance(picked, chosen_.below(streams_.size()));
  act_on(picked->first, what);
}

void yamux_application::act_on(std::uint32_t id, std::uint64_t what) {
  entry& of = streams_.at(id);
  if (what < 14) return write(id, of);
  if (what < 20) return lend(id, of);
  if (what < 22) return revoke(id, of);
  if (what < 30) return reads ? read(id, of) : void();
  if (what < 36) return reads ? peek(id, of) : void();
  if (what == 36) return finish(id, of);
  if (!gives_up || !chosen_.one_in(4)) return;
  records_[id].reset = true;
  if (what == 37) {
    of.given_up = true;
    session_.stream(id).reset(static_cast<std::uint32_t>(chosen_.below(100)));
    hand_back(of);
  } else if (what == 38) {
    of.stopped = true;
    session_.stream(id).stop();
  } else {
    forget(id);
  }
}

void yamux_application::open() {
  if (streams_.size() >= 40) return;
  const auto id = session_.open();
  if (!id) return;
  if (!streams_.try_emplace(*id).second) fail("an ID that is in use", *id);
  records_[*id];
}

void yamux_application::accept_all() {
  while (const auto id = session_.accept()) {
    if (!streams_.try_emplace(*id).second) fail("an ID that is in use was accepted", *id);
    records_[*id];
  }
}

void yamux_application::write(std::uint32_t id, entry& of) {
  if (of.finished || of.lent != nullptr) return;
  if (of.offset >= most_per_stream) return;
  const std::vector<std::byte> made = content(id, of.offset, chosen_.below(most_per_write));
  const std::size_t cut = made.empty() ? 0 : chosen_.below(made.size());
  const std::array<bytes, 2> pieces = {bytes(made).first(cut), bytes(made).subspan(cut)};
  const auto taken = session_.stream(id).write(pieces);
  if (!taken) return end_write(id, of, taken.error());
  if (*taken > made.size()) fail("more taken than was offered", id);
  if (*taken < made.size()) of.wants_writable = true;
  of.offset += *taken;
  records_[id].written += *taken;
}

void yamux_application::lend(std::uint32_t id, entry& of) {
  if (of.finished || of.lent != nullptr) return;
  if (of.offset >= most_per_stream) return;
  auto made = std::make_unique<std::vector<std::byte>>(
      content(id, of.offset, 1 + chosen_.below(most_per_write)));
  const std::size_t cut = chosen_.below(made->size());
  const std::array<bytes, 2> pieces = {bytes(*made).first(cut), bytes(*made).subspan(cut)};
  const auto taken = session_.stream(id).lend(pieces);
  if (!taken) return end_write(id, of, taken.error());
  if (*taken != made->size()) fail("less lent than was offered", id);
  of.lent_from = of.offset;
  of.offset += *taken;
  of.lent = std::move(made);
}

void yamux_application::revoke(std::uint32_t id, entry& of) {
  if (of.lent == nullptr || output_under_way_) return;
  const std::size_t committed = session_.stream(id).revoke();
  if (committed > of.lent->size()) fail("more committed than was lent", id);
  of.offset = of.lent_from + committed;
  records_[id].written += committed;
  of.lent.reset();
}

void yamux_application::end_write(std::uint32_t id, entry& of, std::error_code error) {
  of.write_over = true;
  hand_back(of);
  if (error == errc::closed && !of.given_up && session_.control().closed() == nullptr)
    fail("closed, and nobody closed it", id);
  if (error == errc::would_block || error == errc::write_finished ||
      error == errc::invalid_argument)
    fail("a write failed with " + error.message(), id);
}

void yamux_application::check_read(std::uint32_t id, entry& of, bytes piece) {
  std::vector<std::byte> expected(piece.size());
  write_content(id, other(side_), of.read, expected);
  if (!transport::equal_bytes(piece, expected)) fail("wrong bytes", id);
  of.read += piece.size();
  records_[id].read = of.read;
}

void yamux_application::end_read(std::uint32_t id, entry& of, std::error_code error) {
  if (error == errc::would_block) {
    of.wants_readable = true;
    return;
  }
  of.read_over = true;
  if (error == errc::eof) {
    records_[id].saw_end = true;
  } else if (error == errc::closed && !of.given_up && !of.stopped &&
             session_.control().closed() == nullptr) {
    fail("closed, and nobody closed it", id);
  }
}

void yamux_application::read(std::uint32_t id, entry& of) {
  std::vector<std::byte> memory(1 + chosen_.below(30'000));
  const std::size_t cut = chosen_.below(memory.size());
  const std::array<mutable_bytes, 2> pieces = {mutable_bytes(memory).first(cut),
                                               mutable_bytes(memory).subspan(cut)};
  const auto size = session_.stream(id).read(pieces);
  if (!size) return end_read(id, of, size.error());
  check_read(id, of, bytes(memory).first(*size));
}

void yamux_application::peek(std::uint32_t id, entry& of) {
  bool end = false;
  const auto piece = session_.stream(id).peek(end);
  if (!piece) return end_read(id, of, piece.error());
  if (end) return end_read(id, of, errc::eof);
  const std::size_t size = 1 + chosen_.below(piece->size());
  check_read(id, of, piece->first(size));
  session_.stream(id).consume(size);
}

void yamux_application::finish(std::uint32_t id, entry& of) {
  if (of.lent != nullptr || of.finished) return;
  const auto done = session_.stream(id).finish();
  if (!done) return end_write(id, of, done.error());
  of.finished = of.write_over = true;
  records_[id].finished = true;
}

void yamux_application::forget(std::uint32_t id) {
  if (forgets_in_time) records_[id].reset = true;
  session_.stream(id).forget();
  hand_back(streams_.at(id));
  streams_.erase(id);
}

bool yamux_application::wind_up() {
  accept_all();
  std::vector<std::uint32_t> done;
  for (auto& [id, of] : streams_)
    if (wind_up(id, of)) done.push_back(id);
  for (const std::uint32_t id : done) forget(id);
  return streams_.empty();
}

bool yamux_application::wind_up(std::uint32_t id, entry& of) {
  for (int i = 0; i < 100 && !of.read_over; ++i) {
    read(id, of);
    if (of.wants_readable) break;
  }
  if (!of.write_over) finish(id, of);
  return of.read_over && of.write_over;
}

void yamux_application::close(transport::time_point now) {
  session_.control().close(now, mux::go_away_code::normal);
}

}  // namespace strata::testkit
