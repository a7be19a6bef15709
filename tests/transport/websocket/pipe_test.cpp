// SPDX-License-Identifier: Apache-2.0
// Both ends over a carrier that cuts and delays as the seed says.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_connection.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;

namespace {

struct end {
  end(const websocket_config& config, std::uint64_t seed) : random(seed), core(config, random) {}

  testkit::fake_random random;
  websocket_connection core;
  std::string wire;  // what the other end has not got yet
  std::string to_write;
  std::string seen;
  std::error_code last;
  bool finishes = false;
  bool told = false;

  bool is_over() const { return told && core.finished() && last && last != errc::would_block; }
};

class cut_carrier {
 public:
  cut_carrier(std::uint64_t seed, std::size_t volume)
      : random_(seed),
        client_(small(websocket_role::client), seed + 1),
        server_(small(websocket_role::server), seed + 2) {
    for (end* each : {&client_, &server_}) {
      each->to_write.resize(random_.below(volume) + 1);
      random_.fill(std::as_writable_bytes(std::span(each->to_write)));
    }
    sent_[0] = client_.to_write;
    sent_[1] = server_.to_write;
  }

  void run() {
    for (int turn = 0; turn < 200'000 && !(client_.is_over() && server_.is_over()); ++turn) {
      now_ += std::chrono::milliseconds(random_.below(3));
      step(client_, server_);
      step(server_, client_);
      for (end* each : {&client_, &server_})
        if (const auto due = each->core.next_timeout(); due && *due <= now_)
          each->core.handle_timeout(now_);
    }
    CHECK((client_.seen == sent_[1]));
    CHECK((server_.seen == sent_[0]));
    CHECK(client_.last == errc::eof);
    CHECK(server_.last == errc::eof);
    CHECK(server_.core.finished());
    CHECK(client_.core.closed()->code == 1000);
  }

 private:
  static websocket_config small(websocket_role role) {
    websocket_config config{.role = role};
    config.watermark = 5000;
    config.max_unread = 3000;
    return config;
  }

  void step(end& self, end& other) {
    write(self);
    flush(self);
    deliver(self, other);
    if (random_.below(20) == 0 && !self.core.closed()) (void)self.core.ping(as_bytes("p"));
  }

  void write(end& self) {
    const std::size_t size = std::min<std::size_t>(random_.below(4000), self.to_write.size());
    const bytes piece = as_bytes(self.to_write).first(size);
    const auto taken = self.core.write({&piece, 1});
    if (taken) self.to_write.erase(0, *taken);
    // A server's end is a client's, too: it says goodbye after the client has said all.
    const bool may_end = self.to_write.empty() && (&self == &client_ || client_.to_write.empty());
    const bool heard_all = &self == &client_ || self.seen.size() == sent_[0].size();
    if (may_end && heard_all && !self.finishes) {
      self.finishes = true;
      CHECK(self.core.finish(now_));
    }
  }

  void flush(end& self) {
    std::array<bytes, 5> pieces;
    const std::size_t count =
        self.core.poll_output(now_, std::span(pieces).first(1 + random_.below(5)));
    std::size_t left = random_.below(6000);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count && left != 0; ++i) {
      const bytes part = pieces[i].first(std::min(left, pieces[i].size()));
      self.wire += as_text(part);
      taken += part.size();
      left -= part.size();
    }
    if (taken != 0) self.core.sent(taken);
  }

  void deliver(end& from, end& to) {
    if (to.core.wants_input() && !from.wire.empty()) {
      const std::size_t size = std::min<std::size_t>(1 + random_.below(3000), from.wire.size());
      const std::string input = from.wire.substr(0, size);
      from.wire.erase(0, size);
      to.core.receive(now_, as_bytes(input));
      if (random_.below(2) == 0) read(to);
      to.core.release_input();
    }
    if (from.core.finished() && from.wire.empty()) to.core.receive_end(now_);
    read(to);
  }

  void read(end& self) {
    for (websocket_event event; self.core.poll_event(event);)
      self.told = self.told || event.kind == websocket_event_kind::closed;
    std::string out(1 + random_.below(2000), '\0');
    if (random_.below(3) == 0) {
      const auto shown = self.core.peek();
      if (!shown) return void(self.last = shown.error());
      const std::size_t size = std::min(shown->size(), out.size());
      self.seen += as_text(shown->first(size));
      return self.core.consume(size);
    }
    const auto size = self.core.read(std::as_writable_bytes(std::span(out)));
    if (!size) return void(self.last = size.error());
    self.seen.append(out, 0, *size);
  }

  testkit::fake_random random_;
  end client_;
  end server_;
  std::string sent_[2];
  time_point now_{std::chrono::seconds(1)};
};

}  // namespace

TEST_CASE("websocket: both ends over a carrier that cuts anywhere", "[transport][websocket]") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    INFO("seed " << seed);
    cut_carrier(seed, seed % 10 == 0 ? 300'000 : 20'000).run();
  }
}
