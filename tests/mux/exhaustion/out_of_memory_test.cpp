// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "mux/exhaustion/failing_allocator.hpp"
#include "strata/mux/core/yamux_session.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/fake_random.hpp"

// Each allocation of a session fails once, and each from some point on, in a run that goes through
// all the places that allocate. The session goes on without, or ends; it neither throws nor sends
// anything that its peer could not read.

namespace {

using namespace strata;
using namespace strata::mux::core;
namespace failing = strata::testkit::failing;
using namespace std::chrono_literals;
using transport::bytes;

/// Runs a call of a session; only its allocations can fail.
template <class Call>
auto inside(Call&& call) {
  struct scope {
    scope() { failing::armed = true; }
    ~scope() { failing::armed = false; }
  } const now;
  return call();
}

struct end {
  testkit::fake_random random;
  yamux_session session;
  std::vector<std::byte> inbox;
  std::map<std::uint32_t, std::string> heard;

  explicit end(mux::role side) : random(1), session({.role = side}, random) {}
};

struct run {
  end client{mux::role::client};
  end server{mux::role::server};
  time_point now{1000s};
  std::string text = pattern();

  static std::string pattern() {
    std::string made(120'000, '\0');
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>('a' + i / 7 % 23);
    return made;
  }

  void flush(end& from, end& to, std::size_t most) {
    std::array<bytes, 32> list;
    const std::size_t count = inside([&] { return from.session.poll_output(now, list); });
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count && taken != most; ++i) {
      const bytes piece = list[i].first(std::min(list[i].size(), most - taken));
      to.inbox.insert(to.inbox.end(), piece.begin(), piece.end());
      taken += piece.size();
    }
    inside([&] { from.session.sent(taken); });
  }
  void deliver(end& to, bool reads) {
    inside([&] { to.session.receive(now, to.inbox); });
    while (inside([&] { return to.session.accept(); })) {}
    if (reads) read(to);
    inside([&] { to.session.release_input(); });
    to.inbox.clear();
  }
  void read(end& of) {
    for (const std::uint32_t id : {1u, 3u, 5u, 7u}) {
      bool over = false;
      while (const auto piece = inside([&] { return of.session.stream(id).peek(over); })) {
        if (over) break;
        of.heard[id] += transport::as_text(*piece);
        const std::size_t size = piece->size();
        inside([&] { of.session.stream(id).consume(size); });
      }
    }
  }
  void settle() {
    for (int i = 0; i < 20; ++i) {
      flush(client, server, SIZE_MAX);
      deliver(server, i % 2 == 0);
      flush(server, client, SIZE_MAX);
      deliver(client, true);
    }
  }

  void all() {
    const bytes piece = transport::as_bytes(text);
    const auto stream = [this](std::uint32_t id) { return client.session.stream(id); };
    for (int i = 0; i < 4; ++i) (void)inside([&] { return client.session.open(); });
    (void)inside([&] { return stream(7).lend({&piece, 1}); });
    flush(client, server, 20'001);
    inside([&] { stream(7).reset(1); });  // In the middle of its frame.
    (void)inside([&] { return stream(1).write({&piece, 1}); });
    (void)inside([&] { return stream(3).lend({&piece, 1}); });
    flush(client, server, 50'001);
    deliver(server, false);
    const std::size_t committed = inside([&] { return stream(3).revoke(); });
    const bytes rest = piece.subspan(committed);
    (void)inside([&] { return stream(3).write({&rest, 1}); });
    flush(client, server, 30'001);
    inside([&] { stream(1).reset(1); });
    (void)inside([&] { return stream(5).lend({&piece, 1}); });
    flush(client, server, 20'001);
    deliver(server, false);
    inside([&] { stream(5).forget(); });
    (void)inside([&] { return stream(3).finish(); });
    settle();
    inside([&] { client.session.control().close(now, mux::go_away_code::normal); });
    settle();
  }
};

bool is_fine(end& of, const std::string& text) {
  for (const auto& [id, heard] : of.heard)
    if (!text.starts_with(heard)) return false;
  const mux::close_reason* const closed = of.session.control().closed();
  return closed == nullptr || closed->cause == transport::errc::out_of_memory ||
         closed->cause == transport::errc::closed || closed->cause == mux::errc::peer_failed;
}

}  // namespace

TEST_CASE("exhaustion: every allocation may fail", "[mux][yamux]") {
  for (const bool from_then_on : {false, true}) {
    std::size_t nth = 1;
    for (;; ++nth) {
      run one;
      failing::begin(nth, from_then_on);
      bool threw = false;
      try {
        one.all();
      } catch (const std::bad_alloc&) {
        threw = true;
      }
      const std::size_t failures = failing::end();
      INFO("allocation " << nth << (from_then_on ? " and all after it" : ""));
      CHECK_FALSE(threw);
      CHECK(is_fine(one.client, one.text));
      CHECK(is_fine(one.server, one.text));
      if (failures == 0) break;
    }
    CHECK(nth > 20);
  }
}
