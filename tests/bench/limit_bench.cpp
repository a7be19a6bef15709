// SPDX-License-Identifier: Apache-2.0
// What this machine can do for QUIC without any protocol: packets that are only sent (GSO) and
// received (GRO), only protected, or both. ./dev bench measures it beside the implementations.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <vector>

#include "bench/arguments.hpp"
#include "bench/figures.hpp"
#include "bench/limit_cipher.hpp"
#include "bench/limit_socket.hpp"

namespace {

using namespace strata::bench;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t largest_batch = 64 * 1024;
/// Packets between two acknowledgements, and how many of those may be outstanding: together less
/// than a socket's buffer.
constexpr std::uint64_t acknowledged_together = 1024;
constexpr std::uint64_t window = 3 * acknowledged_together;

double seconds_since(clock_type::time_point began) {
  return std::chrono::duration<double>(clock_type::now() - began).count();
}

std::uint64_t packets_of(const arguments& chosen) {
  const std::uint64_t payload =
      chosen.datagram - limit_cipher::header_size - limit_cipher::tag_size;
  return (chosen.bytes + payload - 1) / payload;
}

/// `--count 1` protects the packets, 0 does not.
bool protects(const arguments& chosen) { return chosen.count != 0; }

void receive(const arguments& chosen) {
  limit_socket socket(chosen.socket_buffer);
  std::printf("listening on %s\n", socket.address().c_str());
  std::fflush(stdout);
  if (std::getchar() == EOF) return;
  limit_cipher cipher;
  std::vector<std::byte> memory(largest_batch);
  const std::uint64_t expected = packets_of(chosen);
  std::uint64_t got = 0;
  std::uint64_t acknowledged = 0;
  while (got < expected) {
    const auto batch = socket.receive(memory);
    const std::span<std::byte> all(memory.data(), batch.size);
    if (protects(chosen)) cipher.mask(all, batch.segment);
    for (std::size_t at = 0; at < batch.size; at += batch.segment, ++got) {
      const auto packet = all.subspan(at, std::min(batch.segment, batch.size - at));
      if (protects(chosen) && !cipher.open(got, packet))
        throw std::runtime_error("a packet is lost");
    }
    if (acknowledged == 0) socket.connect_to_sender();
    if (got - acknowledged >= acknowledged_together || got == expected || acknowledged == 0) {
      acknowledged = got;
      socket.send(std::as_bytes(std::span(&got, 1)), sizeof got);
    }
  }
  figures().add("packets", got).print({});
}

void send(const arguments& chosen) {
  limit_socket socket(chosen.socket_buffer);
  socket.connect(chosen.connect);
  limit_cipher cipher;
  std::vector<std::byte> memory(chosen.segments * chosen.datagram, std::byte{0x5a});
  const std::uint64_t total = packets_of(chosen);
  std::uint64_t sent = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t batches = 0;
  const auto began = clock_type::now();
  while (acknowledged < total) {
    while (sent < total && sent - acknowledged + chosen.segments <= window) {
      const std::uint64_t count = std::min<std::uint64_t>(chosen.segments, total - sent);
      const std::span<std::byte> batch(memory.data(), count * chosen.datagram);
      for (std::uint64_t i = 0; i < count && protects(chosen); ++i) {
        cipher.seal(sent + i, batch.subspan(i * chosen.datagram, chosen.datagram));
      }
      if (protects(chosen)) cipher.mask(batch, chosen.datagram);
      socket.send(batch, chosen.datagram);
      sent += count;
      ++batches;
    }
    socket.receive(std::as_writable_bytes(std::span(&acknowledged, 1)));
  }
  const double took = seconds_since(began);
  figures()
      .add("packets", sent)
      .add("batches", batches)
      .add("bytes", chosen.bytes)
      .add("seconds", took)
      .print({});
}

/// Nanoseconds per packet, the best of several rounds, which other work disturbs least.
template <class Batch>
double best_of_rounds(std::size_t segments, Batch&& batch) {
  double best = 1e18;
  for (int round = 0; round < 200; ++round) {
    const auto began = clock_type::now();
    batch();
    best = std::min(best, seconds_since(began) * 1e9 / static_cast<double>(segments));
  }
  return best;
}

void measure_cipher(const arguments& chosen) {
  limit_cipher cipher;
  std::vector<std::byte> memory(chosen.segments * chosen.datagram);
  const std::span<std::byte> all(memory);
  const auto packet = [&](std::size_t i) {
    return all.subspan(i * chosen.datagram, chosen.datagram);
  };
  bool opened = true;
  const double seal = best_of_rounds(chosen.segments, [&] {
    for (std::size_t i = 0; i < chosen.segments; ++i) cipher.seal(i, packet(i));
  });
  const std::vector<std::byte> sealed = memory;
  double open = 1e18;
  for (int round = 0; round < 200; ++round) {
    memory = sealed;
    const auto began = clock_type::now();
    for (std::size_t i = 0; i < chosen.segments; ++i) opened = cipher.open(i, packet(i)) && opened;
    open = std::min(open, seconds_since(began) * 1e9 / static_cast<double>(chosen.segments));
  }
  const double mask = best_of_rounds(chosen.segments, [&] { cipher.mask(all, chosen.datagram); });
  if (!opened) throw std::runtime_error("what was sealed does not open");
  figures().add("seal_ns", seal).add("open_ns", open).add("mask_ns", mask).print({});
}

}  // namespace

int main(int count, char** words) {
  try {
    const arguments chosen = parse_arguments(count, words);
    if (chosen.mode == "receive") {
      receive(chosen);
    } else if (chosen.mode == "send") {
      send(chosen);
    } else if (chosen.mode == "cipher") {
      measure_cipher(chosen);
    } else {
      std::fprintf(stderr, "usage: %s receive|send|cipher [--FLAG VALUE]...\n", words[0]);
      return 2;
    }
    return 0;
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "%s: %s\n", words[0], thrown.what());
    return 1;
  }
}
