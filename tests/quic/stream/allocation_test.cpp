// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <new>
#include <vector>

#include "core/stream/stream.hpp"
#include "core/stream/stream_table.hpp"
#include "quic/stream/table_end.hpp"

namespace transport = strata::transport;
using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::core::testing;

// Every form of operator new of this program counts.

namespace {
std::size_t allocations = 0;
std::size_t allocated = 0;

void* counted(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) noexcept {
  ++allocations;
  allocated += size;
  if (alignment <= alignof(std::max_align_t)) return std::malloc(size == 0 ? 1 : size);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
void* counted_or_throw(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
  if (void* memory = counted(size, alignment)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted_or_throw(size); }
void* operator new[](std::size_t size) { return counted_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new(std::size_t size, std::align_val_t to) {
  return counted_or_throw(size, static_cast<std::size_t>(to));
}
void* operator new[](std::size_t size, std::align_val_t to) {
  return counted_or_throw(size, static_cast<std::size_t>(to));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

/// Two tables and a perfect pipe whose packets are kept and used again.
struct joined {
  static constexpr std::size_t packets = 32;
  table_end client{config_of(role::client)};
  table_end server{config_of(role::server)};
  std::vector<packet> kept{packets};

  joined() {
    client.table.set_peer_limits(parameters_of(server.settings));
    server.table.set_peer_limits(parameters_of(client.settings));
    for (packet& one : kept) {
      one.content.reserve(1400);
      one.frames.reserve(64);
    }
  }
  static stream_table::config config_of(role side) {
    stream_table::config one = small_config(side);
    one.max_data = one.max_window = 1024 * 1024;
    one.max_stream_data_bidi_local = one.max_stream_data_bidi_remote = one.max_stream_window =
        256 * 1024;
    return one;
  }
  /// A batch one way, acknowledged when `lose` does not name the packet.
  std::size_t move(table_end& from, table_end& to, std::size_t lose = SIZE_MAX) {
    std::size_t count = 0;
    while (count < packets && from.table.has_output()) {
      packet& one = kept[count++];
      one.content.resize(1400);
      one.frames.clear();
      transport::buffer_writer writer{mutable_bytes(one.content)};
      packet_payload payload{writer, one.frames};
      from.table.write_frames(from.now, payload);
      one.content.resize(writer.size());
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (i != lose && !to.receive(kept[i].content)) std::abort();
    }
    return count;
  }
  void settle(table_end& from, std::size_t count, std::size_t lose = SIZE_MAX) {
    for (std::size_t i = 0; i < count; ++i) i == lose ? from.lost(kept[i]) : from.acked(kept[i]);
  }
};

std::size_t drain(table_end& end, std::uint64_t id, bool& fin) {
  std::size_t total = 0;
  for (;;) {
    const auto piece = end.table.peek(id, fin);
    if (!piece) return total;
    total += piece->size();
    end.table.consume(end.now, id, piece->size());
    if (fin) return total;
  }
}

void discard_events(table_end& end) {
  for (event one; end.queue.pop(one);) {}
}

}  // namespace

TEST_CASE("stream_table: a bulk transfer allocates nothing once it runs, losses included",
          "[quic][stream]") {
  joined both;
  const auto id = both.client.table.open(true).value();
  const std::vector<std::byte> content(40'000, std::byte{'x'});
  const bytes piece = content;
  std::size_t received = 0;
  std::size_t before = 0;
  for (int round = 0; round < 2000; ++round) {
    if (round == 400) before = allocations;
    both.client.table.write(id, {&piece, 1}, false).value();
    const std::size_t lose = round % 3 == 0 ? static_cast<std::size_t>(round) % 7 : SIZE_MAX;
    const std::size_t count = both.move(both.client, both.server, lose);
    bool fin = false;
    received += drain(both.server, id, fin);
    both.server.table.release_input();
    both.settle(both.client, count, lose);
    both.settle(both.server, both.move(both.server, both.client));
    discard_events(both.client);
    discard_events(both.server);
  }
  const std::size_t made = allocations - before;
  CHECK(received > 50'000'000);
  CHECK(made == 0);
}

TEST_CASE("stream_table: 10,000 short requests and responses reuse the memory of a few streams",
          "[quic][stream]") {
  joined both;
  const bytes request = text("GET /index.html");
  const std::vector<std::byte> body(3000, std::byte{'b'});
  std::size_t before = 0;
  std::size_t answered = 0;
  for (int round = 0; round < 2'500; ++round) {
    if (round == 100) before = allocations;
    std::array<std::uint64_t, 4> ids{};
    for (std::uint64_t& id : ids) {
      id = both.client.table.open(true).value();
      both.client.table.write(id, {&request, 1}, true).value();
    }
    both.settle(both.client, both.move(both.client, both.server));
    while (const auto id = both.server.table.accept(true)) {
      bool fin = false;
      drain(both.server, *id, fin);
      if (!fin) std::abort();
      both.server.table.write_borrowed(*id, body, *id, true).value();
    }
    both.server.table.release_input();
    both.settle(both.server, both.move(both.server, both.client));
    for (const std::uint64_t id : ids) {
      bool fin = false;
      answered += drain(both.client, id, fin) == body.size() && fin;
      both.client.table.forget(id);
      both.server.table.forget(id);
    }
    both.client.table.release_input();
    both.settle(both.client, both.move(both.client, both.server));
    both.server.table.release_input();
    discard_events(both.client);
    discard_events(both.server);
  }
  const std::size_t made = allocations - before;
  CHECK(answered == 10'000);
  CHECK(made == 0);
  CHECK(both.client.table.count().streams_open == 0);
  CHECK(both.server.table.count().streams_open == 0);
}

TEST_CASE("stream_table: without streams it takes less than a kibibyte, and after them little",
          "[quic][stream]") {
  event_queue queue;
  page_recycler pages;
  const std::size_t before = allocated;
  stream_table table(small_config(role::server), queue, pages);
  const std::size_t taken = allocated - before;
  CHECK(taken < 1024);
  WARN("an empty table: " << taken << " bytes; a stream: " << sizeof(core::stream));
}
