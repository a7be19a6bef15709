// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "core/stream/stream_table.hpp"
#include "quic/stream/table_end.hpp"
#include "testkit/fake_random.hpp"

namespace transport = strata::transport;
using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::core::testing;
using namespace std::chrono_literals;

// Two tables and an application on each, joined by a pipe that loses, repeats, delays and reorders
// packets, and whose loss detection errs both ways. Everything follows from the seed; the last
// phase is without faults and has to converge.

namespace {

std::byte content_at(std::uint64_t id, std::uint64_t offset) {
  const std::uint64_t mixed = (offset + 1) * 0x9e3779b97f4a7c15u ^ id * 0xbf58476d1ce4e5b9u;
  return static_cast<std::byte>(mixed >> 56);
}

std::vector<std::byte> content_of(std::uint64_t id, std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> made(size);
  for (std::size_t i = 0; i < size; ++i) made[i] = content_at(id, offset + i);
  return made;
}

/// How a run misbehaves; drawn from its seed.
struct weather {
  double loss, duplicate, spurious, reset, stop, forget_early, borrow;
  std::uint64_t most_delay, longest;
  bool calm;
};

/// Opens, writes, reads and ends streams, driven by events only: an edge that is missing makes the
/// run hang.
class application {
 public:
  application(table_end& end, strata::testkit::fake_random& random, const weather& sky)
      : end_(end), random_(random), sky_(sky) {}

  void open_streams(unsigned count) { to_open_ += count; }

  void turn() {
    take_events();
    open_more();
    for (auto& [id, one] : streams_) {
      if (one.gone) continue;
      read(id, one);
      write(id, one);
      interfere(id, one);
      let_go(id, one);
    }
    take_events();
  }

  void finish() { ending_ = true; }
  bool done() const {
    return to_open_ == 0 && borrowed_.empty() &&
           std::ranges::all_of(streams_, [](const auto& one) { return one.second.gone; });
  }
  std::uint64_t ends_seen = 0;
  std::uint64_t resets_seen = 0;
  std::uint64_t finished_seen = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t streams_used() const { return streams_.size(); }

 private:
  struct used {
    bool writes = false, reads = false;
    bool can_write = true, can_read = true;  // No edge is awaited.
    bool gone = false;
    std::uint64_t written = 0, to_write = 0, read = 0;
  };

  bool is_mine(std::uint64_t id) const {
    return ((id & 1) != 0) == (end_.settings.side == role::server);
  }
  void add(std::uint64_t id) {
    REQUIRE_FALSE(streams_.contains(id));
    used& one = streams_[id];
    const bool bidirectional = (id & 2) == 0;
    one.writes = bidirectional || is_mine(id);
    one.reads = bidirectional || !is_mine(id);
    one.to_write = random_.happens(0.1) ? 0 : random_.below(sky_.longest);
    if (random_.happens(0.3)) {
      end_.table.prioritize(id, static_cast<std::uint8_t>(random_.below(8)), random_.happens(0.5));
    }
  }

  void open_more() {
    while (to_open_ != 0 && may_open_) {
      const auto id = end_.table.open(random_.happens(0.6));
      if (!id) {
        may_open_ = false;
        CHECK(id.error() == errc::limit_exceeded);
        break;
      }
      --to_open_;
      add(*id);
    }
  }

  void take_events() {
    for (event one; end_.queue.pop(one);) {
      switch (one.kind) {
        case event_kind::streams_available: may_open_ = true; break;
        case event_kind::stream_opened:
          while (const auto id = end_.table.accept(one.value == 1)) add(*id);
          break;
        case event_kind::readable:
          // May come before the stream is accepted: then it is read anyway.
          if (const auto found = streams_.find(one.stream); found != streams_.end())
            found->second.can_read = true;
          break;
        case event_kind::writable:
          REQUIRE(streams_.contains(one.stream));
          streams_[one.stream].can_write = true;
          break;
        case event_kind::acknowledged:
        case event_kind::abandoned: REQUIRE(borrowed_.erase(one.value) == 1); break;
        case event_kind::write_stopped: streams_[one.stream].writes = false; break;
        case event_kind::read_reset: ++resets_seen; break;
        case event_kind::finished:
          ++finished_seen;
          REQUIRE(streams_[one.stream].written == streams_[one.stream].to_write);
          break;
        default: FAIL("an event that no stream has");
      }
    }
  }

  void check(std::uint64_t id, used& one, bytes piece) {
    for (std::size_t i = 0; i < piece.size(); ++i) {
      if (piece[i] != content_at(id ^ peer_mark(), one.read + i))
        FAIL("stream " << id << " differs at " << one.read + i);
    }
    one.read += piece.size();
    bytes_read += piece.size();
  }
  /// The two directions of a stream carry different bytes.
  std::uint64_t own_mark() const { return end_.settings.side == role::server ? 1u << 20 : 0; }
  std::uint64_t peer_mark() const { return own_mark() ^ 1u << 20; }

  void read(std::uint64_t id, used& one) {
    if (!one.reads || !one.can_read || (!ending_ && random_.happens(0.3))) return;
    for (int i = 0; i < (ending_ ? 1'000'000 : 3); ++i) {
      bool fin = false;
      std::error_code failure;
      if (random_.happens(0.5)) {
        std::array<std::byte, 3000> out;
        const auto size = end_.table.read(
            end_.now, id, mutable_bytes(out).first(1 + random_.below(out.size())), fin);
        if (!size) {
          failure = size.error();
        } else {
          check(id, one, bytes(out).first(*size));
        }
      } else {
        const auto piece = end_.table.peek(id, fin);
        if (!piece) {
          failure = piece.error();
        } else {
          const std::size_t size =
              random_.happens(0.5) ? piece->size() : random_.below(piece->size() + 1);
          fin = fin && size == piece->size();
          check(id, one, piece->first(size));
          end_.table.consume(end_.now, id, size);
        }
      }
      if (fin) {
        ++ends_seen;
        one.reads = false;
        return;
      }
      if (failure == errc::would_block) {
        one.can_read = false;
        return;
      }
      if (failure) {
        CHECK(failure == errc::stream_reset);
        one.reads = false;
        return;
      }
    }
  }

  void write(std::uint64_t id, used& one) {
    if (!one.writes || !one.can_write || (!ending_ && random_.happens(0.4))) return;
    const std::uint64_t left = one.to_write - one.written;
    const std::size_t size =
        static_cast<std::size_t>(std::min<std::uint64_t>(left, 1 + random_.below(20'000)));
    const bool fin = size == left && (ending_ || random_.happens(0.7));
    std::vector<std::byte> made = content_of(id ^ own_mark(), one.written, size);
    if (random_.happens(sky_.borrow)) {
      const send_token token = ++tokens_;
      const auto kept = borrowed_.emplace(token, std::move(made)).first;
      if (!end_.table.write_borrowed(id, kept->second, token, fin)) {
        borrowed_.erase(kept);
        one.writes = false;
        return;
      }
      one.written += size;
      one.writes = !fin;
      return;
    }
    const std::size_t cut = random_.below(size + 1);
    const std::array<bytes, 2> pieces{bytes(made).first(cut), bytes(made).subspan(cut)};
    const auto taken = end_.table.write(id, pieces, fin);
    if (!taken) {
      one.writes = false;
      return;
    }
    one.written += *taken;
    one.can_write = *taken == size;
    if (fin && *taken == size) one.writes = false;
  }

  void interfere(std::uint64_t id, used& one) {
    if (ending_) return;
    if (random_.happens(sky_.reset)) {
      end_.table.reset(id, 1);
      one.writes = one.reads = false;
      one.to_write = one.written;
    }
    if (one.reads && random_.happens(sky_.stop)) {
      end_.table.stop(id, 2);
      one.reads = false;
    }
  }

  void let_go(std::uint64_t id, used& one) {
    const bool ended = !one.writes && !one.reads;
    if (!(ended && (ending_ || random_.happens(0.3))) &&
        !(!ending_ && random_.happens(sky_.forget_early)))
      return;
    end_.table.forget(id);
    one.gone = true;
    one.to_write = one.written;
  }

  table_end& end_;
  strata::testkit::fake_random& random_;
  const weather& sky_;
  std::map<std::uint64_t, used> streams_;
  std::map<send_token, std::vector<std::byte>> borrowed_;
  send_token tokens_ = 0;
  unsigned to_open_ = 0;
  bool may_open_ = true;
  bool ending_ = false;
};

class pipe_run {
 public:
  explicit pipe_run(std::uint64_t seed)
      : random_(seed),
        sky_(draw()),
        ends_{table_end(role::client), table_end(role::server)},
        apps_{application(ends_[0], random_, sky_), application(ends_[1], random_, sky_)} {}

  void run() {
    for (application& app : apps_) app.open_streams(static_cast<unsigned>(1 + random_.below(20)));
    for (; step_ < 300; ++step_) turn(true);
    for (application& app : apps_) app.finish();
    const std::uint64_t last = step_ + 5000;
    while (!converged()) {
      REQUIRE(step_ < last);
      ++step_;
      turn(false);
    }
    verify();
  }

 private:
  struct flying {
    packet content;
    std::size_t from;
    std::uint64_t due;
    bool delivered_already;
  };
  struct report {
    packet content;
    std::size_t to;
    std::uint64_t due;
    bool acked;
  };

  weather draw() {
    const auto up_to = [this](double most) {
      return most * static_cast<double>(random_.below(1000)) / 1000;
    };
    const bool calm = random_.happens(0.3);
    return {up_to(0.3),
            up_to(0.2),
            up_to(0.2),
            calm ? 0 : up_to(0.01),
            calm ? 0 : up_to(0.01),
            calm ? 0 : up_to(0.01),
            up_to(1),
            1 + random_.below(12),
            1 + random_.below(60'000),
            calm};
  }

  void turn(bool faults) {
    for (std::size_t side : {0u, 1u}) {
      ends_[side].now += 1ms;
      ends_[side].table.set_rtt(5ms);
      deliver(side);
      apps_[side].turn();
      ends_[side].table.release_input();
      scribble();
      if (random_.happens(0.05)) ends_[side].table.shrink();
      hear_reports(side);
      send(side, faults);
      REQUIRE(ends_[side].table.count().bytes_buffered_to_read <= memory_bound(ends_[side]));
    }
  }

  /// What the window allows, and a page for each stream there can be.
  static std::uint64_t memory_bound(const table_end& end) {
    return end.settings.max_window +
           2 * page_recycler::page_size * 4 * end.settings.max_streams_bidi;
  }

  void send(std::size_t side, bool faults) {
    table_end& end = ends_[side];
    const std::uint64_t most = random_.below(12);
    for (std::uint64_t i = 0; i < most; ++i) {
      if (!end.table.has_output()) {
        if (random_.happens(0.1)) end.table.queue_probe_data();
        if (!end.table.has_output()) return;
      }
      packet made = end.write_packet(64 + random_.below(1300));
      REQUIRE_FALSE(made.content.empty());
      const std::uint64_t due = step_ + 1 + random_.below(sky_.most_delay);
      const bool arrives = !faults || !random_.happens(sky_.loss);
      if (arrives) air_.push_back({made, side, due, false});
      if (arrives && faults && random_.happens(sky_.duplicate))
        air_.push_back({made, side, due + random_.below(30), true});
      const bool believed_lost = !arrives || (faults && random_.happens(sky_.spurious));
      const std::uint64_t heard = due + 1 + random_.below(sky_.most_delay);
      if (believed_lost) reports_.push_back({made, side, heard, false});
      if (arrives && (!believed_lost || random_.happens(0.5)))
        reports_.push_back({made, side, heard + (believed_lost ? 3 : 0), true});
    }
  }

  void deliver(std::size_t side) {
    for (auto one = air_.begin(); one != air_.end();) {
      if (one->from == side || one->due > step_) {
        ++one;
        continue;
      }
      batch_.push_back(one->content.content);
      const auto outcome = ends_[side].receive(batch_.back());
      if (!outcome) FAIL("refused: " << outcome.error().reason);
      one = air_.erase(one);
    }
  }
  void scribble() {
    for (auto& gone : batch_) std::ranges::fill(gone, std::byte{0xdd});
    batch_.clear();
  }

  void hear_reports(std::size_t side) {
    for (auto one = reports_.begin(); one != reports_.end();) {
      if (one->to != side || one->due > step_) {
        ++one;
        continue;
      }
      one->acked ? ends_[side].acked(one->content) : ends_[side].lost(one->content);
      one = reports_.erase(one);
    }
  }

  bool converged() const {
    return air_.empty() && reports_.empty() && apps_[0].done() && apps_[1].done() &&
           !ends_[0].table.has_output() && !ends_[1].table.has_output();
  }

  void verify() {
    for (std::size_t side : {0u, 1u}) {
      const auto own = ends_[side].table.count();
      const auto peer = ends_[1 - side].table.count();
      CHECK(own.streams_open == 0);
      CHECK(own.bytes_buffered_to_read == 0);
      CHECK(own.bytes_sent == peer.bytes_received);
      CHECK(apps_[side].bytes_read <= own.bytes_received);
      CHECK(ends_[side].table.all_sent_acknowledged());
      CHECK(ends_[side].queue.empty());
      if (sky_.calm) {
        // Nobody gave up: each byte was read, each end seen once, each stream finished.
        CHECK(apps_[side].bytes_read == own.bytes_received);
        CHECK(apps_[side].resets_seen == 0);
      }
    }
    CHECK(apps_[0].streams_used() == apps_[1].streams_used());
  }

  strata::testkit::fake_random random_;
  weather sky_;
  std::array<table_end, 2> ends_;
  std::array<application, 2> apps_;
  std::list<flying> air_;
  std::list<report> reports_;
  std::list<std::vector<std::byte>> batch_;
  std::uint64_t step_ = 0;
};

}  // namespace

//= RFC 9000 section 2.2
//# The data at a given offset MUST NOT change if it is sent multiple times
TEST_CASE(
    "stream_table: over a lossy pipe all bytes arrive once, all ends are seen, all tokens come "
    "back",
    "[quic][stream][property]") {
  const char* first = std::getenv("STRATA_SEED");
  const std::uint64_t from = first != nullptr ? std::strtoull(first, nullptr, 10) : 1;
  const char* wanted = std::getenv("STRATA_SEEDS");
  const std::uint64_t count = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 150;
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    CAPTURE(seed);
    pipe_run(seed).run();
  }
}
