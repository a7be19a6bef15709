// SPDX-License-Identifier: Apache-2.0
// Input: one byte for each datagram between two endpoints: pass, drop, twice, late, damaged, or
// time first. What arrives on the stream is what was written, in order, whatever the link did; and
// with a link that has come to rest everything arrives.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <vector>

#include "strata/quic/core/endpoint.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/null_tls.hpp"
#include "testkit/fake_random.hpp"

namespace {

using namespace strata;
using namespace strata::quic::core;
using namespace std::chrono_literals;

constexpr std::uint64_t stream_size = 8'000;

void require(bool holds) {
  if (!holds) std::abort();
}

std::byte octet_at(std::uint64_t offset) {
  return static_cast<std::byte>(offset * 31 + (offset >> 9));
}

struct host {
  host(std::uint64_t seed, bool server)
      : random(seed), tls(make_null_tls(random)), core(config(server), random, clock, *tls) {}
  static endpoint_config config(bool server) {
    endpoint_config made;
    made.accept_incoming = server;
    made.connection.keep_alive = 5s;
    return made;
  }
  testkit::fake_random random;
  testkit::fake_wall_clock clock;
  std::unique_ptr<tls_backend> tls;
  endpoint core;
  transport::address address;
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  bool ended = false;
};

class lossy_link {
 public:
  explicit lossy_link(transport::bytes script) : script_(script) {
    client_.address = transport::address::loopback_v4(5000);
    server_.address = transport::address::loopback_v4(443);
    connection_ = client_.core.connect(now_, server_.address, "fuzz", {}).value();
  }

  void run() {
    for (int turn = 0; turn < 1000 && !(server_.ended && client_.ended); ++turn) {
      send(client_, server_);
      send(server_, client_);
      deliver();
      if (!late_.empty()) continue;
      pass_time();
    }
    // A link that damages a handshake may well end it; one that never did must have carried all.
    const bool alive = client_.core.at(connection_) && !client_.core.at(connection_).closed();
    require(server_.read <= stream_size && client_.read <= stream_size);
    if (alive && fates_ == 0) require(server_.ended && client_.ended);
  }

 private:
  struct in_flight {
    std::vector<std::byte> datagram;
    bool to_server = false;
  };

  unsigned next_fate() {
    if (position_ == script_.size()) return 0;
    const unsigned fate = std::to_integer<unsigned>(script_[position_++]);
    fates_ += fate % 6 != 0;
    return fate;
  }

  void send(host& from, host& to) {
    serve(from);
    std::vector<std::byte>& out = out_;
    while (const auto batch = from.core.poll_transmit(now_, out, 8)) {
      for (std::size_t at = 0; at < batch->size; at += batch->segment) {
        const auto piece = transport::bytes(out).subspan(
            at, std::min<std::size_t>(batch->segment, batch->size - at));
        put({{piece.begin(), piece.end()}, &to == &server_});
      }
    }
  }

  void put(in_flight one) {
    const unsigned fate = next_fate();
    switch (fate % 6) {
      case 1: return;
      case 2: ready_.push_back(one); break;
      case 3: late_.push_back(std::move(one)); return;
      case 4:
        one.datagram[fate * 37 % one.datagram.size()] ^= static_cast<std::byte>(1 + fate / 6);
        break;
      case 5: now_ += std::chrono::milliseconds(fate); break;
      default: break;
    }
    ready_.push_back(std::move(one));
  }

  void deliver() {
    if (ready_.empty()) std::swap(ready_, late_);
    for (; !ready_.empty(); ready_.pop_front()) {
      in_flight& one = ready_.front();
      host& to = one.to_server ? server_ : client_;
      const host& from = one.to_server ? client_ : server_;
      const auto stride = static_cast<std::uint16_t>(one.datagram.size());
      to.core.receive(now_,
                      {one.datagram, stride, transport::ecn::not_ect, from.address, to.address});
      serve(to);
      to.core.release_input();
    }
  }

  void pass_time() {
    const auto ours = client_.core.next_timeout(), theirs = server_.core.next_timeout();
    if (!ours && !theirs) return;
    now_ = std::max(now_, !theirs || (ours && *ours < *theirs) ? *ours : *theirs);
    client_.core.handle_timeout(now_);
    server_.core.handle_timeout(now_);
  }

  void serve(host& here) {
    event occurred;
    while (here.core.poll_event(occurred)) {
      auto connection = here.core.at(occurred.connection);
      switch (occurred.kind) {
        case event_kind::incoming:
          static_cast<void>(here.core.decide(now_, occurred.value, decision::accept));
          break;
        case event_kind::ready:
          if (&here == &client_ && connection.open(true)) write(here, connection);
          break;
        case event_kind::stream_opened:
          while (connection.accept(true)) write(here, connection);
          read(here, connection);
          break;
        case event_kind::writable: write(here, connection); break;
        case event_kind::readable: read(here, connection); break;
        default: break;
      }
    }
  }

  static void write(host& here, connection_view connection) {
    std::vector<std::byte> content(stream_size - here.written);
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = octet_at(here.written + i);
    const transport::bytes piece(content);
    here.written += connection.stream(0).write({&piece, 1}, true).value_or(0);
  }

  static void read(host& here, connection_view connection) {
    std::array<std::byte, 2000> memory;
    while (const auto size = connection.stream(0).read(memory, here.ended)) {
      for (std::size_t i = 0; i < *size; ++i) require(memory[i] == octet_at(here.read + i));
      here.read += *size;
      if (here.ended) require(here.read == stream_size);
      if (here.ended || *size == 0) return;
    }
  }

  transport::bytes script_;
  std::size_t position_ = 0;
  unsigned fates_ = 0;  ///< Datagrams that did not simply pass.
  transport::time_point now_{1h};
  host client_{1, false};
  host server_{2, true};
  connection_handle connection_;
  std::deque<in_flight> ready_, late_;
  std::vector<std::byte> out_ = std::vector<std::byte>(limits::max_batch_bytes);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lossy_link(transport::bytes(reinterpret_cast<const std::byte*>(data), size)).run();
  return 0;
}
