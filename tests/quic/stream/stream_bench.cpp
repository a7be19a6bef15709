// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/stream/stream_table.hpp"

// What a table costs per frame of 1,400 bytes, in batches of 44 as sendmsg and recvmsg carry them.
// Prints the best of several rounds; run it in a release build.

namespace transport = strata::transport;
using namespace strata::quic;
using namespace strata::quic::core;
using transport::bytes;
using transport::mutable_bytes;

namespace {

constexpr std::size_t frame_size = 1400;
constexpr std::size_t batch = 44;
constexpr int batches = 4000;
constexpr int rounds = 9;

stream_table::config config_of(role side) {
  stream_table::config one;
  one.side = side;
  one.max_data = one.max_window = std::uint64_t{24} << 20;
  one.max_stream_data_bidi_local = one.max_stream_data_bidi_remote = one.max_stream_window =
      std::uint64_t{16} << 20;
  one.max_streams_bidi = 100;
  return one;
}

struct side {
  explicit side(role which) : table(config_of(which), queue, pages) {
    transport_parameters peer;
    peer.initial_max_data = peer.initial_max_stream_data_bidi_local =
        peer.initial_max_stream_data_bidi_remote = std::uint64_t{1} << 60;
    peer.initial_max_streams_bidi = 100;
    table.set_peer_limits(peer);
  }
  void drain_events() {
    for (event one; queue.pop(one);) {}
  }
  event_queue queue;
  page_recycler pages;
  stream_table table;
  transport::time_point now{};
};

template <class Work>
void report(const char* what, Work&& work) {
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t frames = work();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    best = std::min(best, spent.count() / static_cast<double>(frames));
  }
  std::printf("%-58s %6.1f ns per frame\n", what, best);
}

struct sending {
  side own{role::client};
  std::vector<std::uint64_t> ids;
  std::vector<std::byte> source = std::vector<std::byte>(batch * frame_size, std::byte{'x'});
  std::vector<std::byte> packets = std::vector<std::byte>(64 * 1024);
  std::vector<sent_frame> frames;
  std::vector<std::vector<sent_frame>> flying{8};
  send_token token = 0;
  bool borrow = false;

  explicit sending(std::size_t streams) {
    for (std::size_t i = 0; i < streams; ++i) ids.push_back(own.table.open(true).value());
  }
  std::size_t flush() {
    std::size_t count = 0;
    frames.clear();
    while (own.table.has_output() && count < 46) {
      // A frame's header takes at most 11 bytes here.
      transport::buffer_writer writer{
          mutable_bytes(packets).subspan(count * (frame_size + 11), frame_size + 11)};
      packet_payload payload{writer, frames};
      own.table.write_frames(own.now, payload);
      ++count;
    }
    return count;
  }
  std::size_t operator()() {
    std::size_t total = 0;
    for (int i = 0; i < batches; ++i) {
      for (const std::uint64_t id : ids) {
        const bytes piece = bytes(source).first(source.size() / ids.size());
        if (borrow) {
          if (!own.table.write_borrowed(id, piece, ++token, false)) std::abort();
        } else if (own.table.write(id, {&piece, 1}, false) != piece.size()) {
          std::abort();
        }
      }
      total += flush();
      // Acknowledged a few batches later.
      std::vector<sent_frame>& oldest = flying[static_cast<std::size_t>(i) % flying.size()];
      for (const sent_frame& one : oldest) own.table.on_acked(one);
      oldest.swap(frames);
      own.drain_events();
    }
    return total;
  }
};

struct receiving {
  side own{role::server};
  std::vector<std::byte> memory = std::vector<std::byte>(64 * 1024, std::byte{'x'});
  std::vector<std::byte> out = std::vector<std::byte>(256 * 1024);
  std::vector<sent_frame> frames;
  std::uint64_t offset = 0;
  enum class mode { peek, read, late } how = mode::peek;

  void take() {
    bool fin = false;
    if (how == mode::peek) {
      while (const auto piece = own.table.peek(0, fin))
        own.table.consume(own.now, 0, piece->size());
    } else if (!own.table.read(own.now, 0, out, fin)) {
      std::abort();
    }
  }
  std::size_t operator()() {
    std::size_t total = 0;
    for (int i = 0; i < batches; ++i) {
      for (std::size_t k = 0; k < batch; ++k, ++total) {
        if (!own.table.on(
                own.now,
                stream_frame{0, offset, bytes(memory).subspan(k * frame_size, frame_size), false}))
          std::abort();
        offset += frame_size;
      }
      own.drain_events();
      if (how != mode::late) take();
      own.table.release_input();
      if (how == mode::late) take();
      while (own.table.has_output()) {
        frames.clear();
        std::array<std::byte, 1200> packet;
        transport::buffer_writer writer{mutable_bytes(packet)};
        packet_payload payload{writer, frames};
        own.table.write_frames(own.now, payload);
        for (const sent_frame& one : frames) own.table.on_acked(one);
      }
    }
    return total;
  }
};

/// The copies alone, over as much memory: what no table could do without.
struct copying {
  std::vector<std::byte> source = std::vector<std::byte>(batch * frame_size, std::byte{'x'});
  std::vector<std::byte> pages = std::vector<std::byte>(8 * batch * frame_size);
  std::vector<std::byte> packets = std::vector<std::byte>(64 * 1024);
  std::size_t operator()() {
    for (std::size_t i = 0; i < batches; ++i) {
      std::byte* kept = pages.data() + i % 8 * source.size();
      std::memcpy(kept, source.data(), source.size());
      for (std::size_t k = 0; k < batch; ++k) {
        std::memcpy(packets.data() + k * (frame_size + 11), kept + k * frame_size, frame_size);
        asm volatile("" ::: "memory");
      }
    }
    return batches * batch;
  }
};

}  // namespace

int main() {
  report("two copies alone", copying{});
  report("write (copied) + write_frames + on_acked, 1 stream", sending(1));
  report("write (copied) + write_frames + on_acked, 11 streams", sending(11));
  sending borrowed(1);
  borrowed.borrow = true;
  report("write_borrowed + write_frames + on_acked, 1 stream", borrowed);
  report("on(stream) + peek/consume + MAX_DATA", receiving{});
  receiving reading;
  reading.how = receiving::mode::read;
  report("on(stream) + read (one copy) + MAX_DATA", reading);
  receiving late;
  late.how = receiving::mode::late;
  report("on(stream) + release_input + read (two copies) + MAX_DATA", late);
}
