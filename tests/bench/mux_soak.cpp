// SPDX-License-Identifier: Apache-2.0
// Many sessions of yamux with many streams each, over TCP on loopback, all in this process: streams
// come and go, and so do sessions. Fails when memory grows.
#include <algorithm>
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/allocation_count.hpp"
#include "bench/lane_group.hpp"
#include "bench/program.hpp"
#include "strata/mux/yamux.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::bench {
namespace {

using asio::use_awaitable;
using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto quietly = asio::as_tuple(use_awaitable);
constexpr std::size_t most_bytes = 1000;  // of a stream, each way
constexpr double mebibyte = 1024.0 * 1024.0;

struct memory_sample {
  double heap = 0;      ///< MiB.
  double resident = 0;  ///< MiB.
};

memory_sample sample() {
  std::ifstream status("/proc/self/status");
  std::string word;
  double resident = 0;
  while (status >> word)
    if (word == "VmRSS:") status >> resident;
  return {static_cast<double>(heap_bytes()) / mebibyte, resident / 1024};
}

memory_sample most_of(std::span<const memory_sample> samples) {
  memory_sample most;
  for (const memory_sample& one : samples) {
    most.heap = std::max(most.heap, one.heap);
    most.resident = std::max(most.resident, one.resident);
  }
  return most;
}

/// Both ends of all sessions.
class soak {
 public:
  soak(asio::any_io_executor executor, const arguments& chosen)
      : executor_(std::move(executor)), chosen_(chosen) {
    auto carriers = transport::tcp_listener::listen(executor_, transport::address::loopback_v4(0));
    if (!carriers) throw std::system_error(carriers.error());
    // A round of all streams takes longer than a keep-alive waits where others use the machine.
    mux::yamux_options patient;
    patient.session.keep_alive_timeout = patient.session.open_timeout = 10min;
    listener_ = std::make_unique<mux::yamux_listener>(std::move(*carriers), patient);
    dialer_ = std::make_unique<mux::yamux_dialer>(
        std::make_shared<transport::tcp_dialer>(executor_), patient);
    asio::co_spawn(executor_, accept_all(), asio::detached);
  }

  /// Every session once, with --count rounds of its streams, until no end is left.
  asio::awaitable<void> run_once() {
    lane_group sessions(executor_);
    for (std::size_t i = 0; i < chosen_.connections; ++i) sessions.add(run_session());
    co_await sessions.wait();
    while (serving_ != 0) co_await asio::post(executor_, use_awaitable);
  }
  /// Session after session in as many lanes as there are to be at a time.
  asio::awaitable<void> run_until(clock::time_point end) {
    lane_group lanes(executor_);
    for (std::size_t i = 0; i < chosen_.connections; ++i) lanes.add(repeat(end));
    co_await lanes.wait();
    while (serving_ != 0) co_await asio::post(executor_, use_awaitable);
  }
  void close() { listener_->close(); }

  std::uint64_t sessions = 0;
  std::uint64_t streams = 0;

 private:
  asio::awaitable<void> repeat(clock::time_point end) {
    end_ = end;
    while (clock::now() < end_) co_await run_session();
  }

  asio::awaitable<void> run_session() {
    const auto where = transport::target(listener_->local_address());
    auto connection = co_await dialer_->async_dial(where, use_awaitable);
    lane_group lanes(executor_);
    for (std::size_t i = 0; i < chosen_.parallel; ++i) lanes.add(use_streams(*connection));
    co_await lanes.wait();
    co_await connection->async_shutdown(10s, 0, use_awaitable);
    ++sessions;
  }

  asio::awaitable<void> use_streams(transport::connection& connection) {
    for (std::size_t i = 0; i < chosen_.count && clock::now() < end_; ++i) {
      co_await use_stream(connection);
      ++streams;
    }
  }

  /// Bytes that differ from stream to stream, there and back, and the ends of both directions.
  asio::awaitable<void> use_stream(transport::connection& connection) {
    auto stream = co_await connection.async_open_stream(use_awaitable);
    const std::size_t size = 1 + (streams * 7919) % most_bytes;
    std::array<char, most_bytes> sent;
    for (std::size_t i = 0; i < size; ++i) sent[i] = static_cast<char>(streams + i);
    const auto out = asio::buffer(sent.data(), size);
    co_await asio::async_write(*stream, out, use_awaitable);
    co_await stream->async_finish(use_awaitable);
    std::array<char, most_bytes + 1> got;
    const auto in = asio::buffer(got);
    const auto [error, back] = co_await asio::async_read(*stream, in, quietly);
    if (error != transport::errc::eof)
      throw std::runtime_error("a stream ended otherwise than in order: " + error.message());
    if (back != size ||
        !std::equal(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(size), got.begin()))
      throw std::runtime_error("the echo differs");
  }

  asio::awaitable<void> accept_all() {
    for (;;) {
      auto [error, connection] = co_await listener_->async_accept(quietly);
      if (error) co_return;
      ++serving_;
      asio::co_spawn(executor_, serve(std::move(connection)), asio::detached);
    }
  }

  asio::awaitable<void> serve(std::unique_ptr<transport::connection> connection) {
    for (;;) {
      auto [error, stream] = co_await connection->async_accept_stream(quietly);
      if (error) break;
      asio::co_spawn(executor_, echo(std::move(stream)), asio::detached);
    }
    --serving_;
  }

  static asio::awaitable<void> echo(std::unique_ptr<transport::stream> stream) {
    std::array<char, most_bytes> memory;
    const auto in = asio::buffer(memory);
    for (;;) {
      const auto [error, size] = co_await stream->async_read_some(in, quietly);
      if (error) break;
      const auto out = asio::buffer(memory.data(), size);
      const auto [failed, written] = co_await asio::async_write(*stream, out, quietly);
      if (failed) co_return;
    }
    co_await stream->async_finish(quietly);
  }

  asio::any_io_executor executor_;
  arguments chosen_;
  std::unique_ptr<mux::yamux_listener> listener_;
  std::unique_ptr<mux::yamux_dialer> dialer_;
  std::size_t serving_ = 0;
  clock::time_point end_ = clock::time_point::max();
};

void require_no_growth(const char* what, double later, double earlier, double allowed) {
  if (later > earlier + allowed)
    throw std::runtime_error(std::string(what) + " grew from " + std::to_string(earlier) + " to " +
                             std::to_string(later) + " MiB");
}

/// --cycles: the heap after each time that all sessions came and went. After two it has what it
/// keeps, and stays as it is.
asio::awaitable<void> run_cycles(const arguments& chosen) {
  soak world(co_await asio::this_coro::executor, chosen);
  std::vector<double> heaps;
  for (int cycle = 0; cycle < 4; ++cycle) {
    co_await world.run_once();
    heaps.push_back(sample().heap);
    std::printf("cycle %d: %llu sessions, %llu streams, heap %.3f MiB\n", cycle,
                static_cast<unsigned long long>(world.sessions),
                static_cast<unsigned long long>(world.streams), heaps.back());
  }
  require_no_growth("the heap at rest", heaps[3], heaps[1], 0.25);
}

asio::awaitable<void> watch(std::vector<memory_sample>& samples, clock::time_point end) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (clock::now() < end) {
    timer.expires_after(1s);
    co_await timer.async_wait(use_awaitable);
    samples.push_back(sample());
  }
}

/// For --seconds. The second quarter is compared with the last one: all is warm by then.
asio::awaitable<void> run_for(const arguments& chosen) {
  soak world(co_await asio::this_coro::executor, chosen);
  const memory_sample before = sample();
  std::vector<memory_sample> samples;
  const clock::time_point end = clock::now() + chosen.time;
  lane_group both(co_await asio::this_coro::executor);
  both.add(watch(samples, end));
  both.add(world.run_until(end));
  co_await both.wait();
  const memory_sample after = sample();
  const std::size_t quarter = samples.size() / 4;
  const auto warm = most_of(std::span(samples).subspan(quarter, quarter));
  const auto late = most_of(std::span(samples).last(std::max<std::size_t>(quarter, 1)));
  std::printf(
      "{\"sessions\":%llu,\"streams\":%llu,\"seconds\":%.0f,\"heap_start\":%.1f,\"heap_warm\":%.1f,"
      "\"heap_late\":%.1f,\"heap_end\":%.1f,\"resident_start\":%.1f,\"resident_warm\":%.1f,"
      "\"resident_late\":%.1f,\"resident_end\":%.1f}\n",
      static_cast<unsigned long long>(world.sessions),
      static_cast<unsigned long long>(world.streams),
      std::chrono::duration<double>(chosen.time).count(), before.heap, warm.heap, late.heap,
      after.heap, before.resident, warm.resident, late.resident, after.resident);
  require_no_growth("the heap", late.heap, warm.heap, 1 + warm.heap / 50);
  require_no_growth("resident memory", late.resident, warm.resident, 4 + warm.resident / 50);
  require_no_growth("the heap at rest", after.heap, before.heap, 4);
}

}  // namespace
}  // namespace strata::bench

int main(int count, char** words) {
  using namespace strata::bench;
  return run_program(count, words, {{"run", run_for}, {"cycles", run_cycles}});
}
