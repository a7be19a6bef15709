// SPDX-License-Identifier: Apache-2.0
// The steady state allocates nothing. `[.benchmark]` prints what a packet costs; a timing is never
// a test.
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

#include "core/recovery/pacer.hpp"
#include "quic/recovery/detector_under_test.hpp"

namespace {
std::uint64_t allocations = 0;

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  size = (size + alignment - 1) / alignment * alignment;
  void* memory = alignment > alignof(std::max_align_t) ? std::aligned_alloc(alignment, size)
                                                       : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return counted(size, 1); }
void* operator new[](std::size_t size) { return counted(size, 1); }
void* operator new(std::size_t size, std::align_val_t a) {
  return counted(size, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t size, std::align_val_t a) {
  return counted(size, static_cast<std::size_t>(a));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size, 1); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

using namespace strata::quic::core;
using namespace strata::quic::core::test;

namespace {

/// What this thread has used of the processor, in nanoseconds: other work on the machine does not
/// count.
double used() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// A bulk transfer: 1,000 packets in flight, an ACK frame for every 40; one packet of `lossy_every`
/// is never acknowledged.
class bulk_transfer {
 public:
  explicit bulk_transfer(std::uint64_t lossy_every) : lossy_every_(lossy_every) {
    loss_.on_handshake_confirmed(now_);
    while (next_ != 1'000) send();
  }

  void run(std::uint64_t rounds) {
    for (std::uint64_t i = 0; i != rounds; ++i) {
      now_ += 20us;
      acknowledge();
      for (int k = 0; k != 40; ++k) send();
    }
  }
  std::uint64_t acknowledged = 0;
  std::uint64_t lost = 0;

 private:
  void send() {
    const sent_frame frame{
        .what = sent_frame::kind::stream, .length = 1'160, .offset = next_ * 1'160};
    loss_.on_packet_sent(now_,
                         {.space = application,
                          .number = next_++,
                          .size = 1'200,
                          .ack_eliciting = true,
                          .in_flight = true},
                         {&frame, 1});
  }
  void acknowledge() {
    upto_ += 40;
    ack_range ranges[2] = {{upto_ - 40, upto_ - 1}, {0, 0}};
    std::size_t count = 1;
    if (lossy_every_ != 0 && upto_ % lossy_every_ == 0) {
      ranges[0] = {upto_ - 20, upto_ - 1};
      ranges[1] = {upto_ - 40, upto_ - 22};
      count = 2;
    }
    if (!loss_.on_ack_received(now_, {.space = application, .ranges = {ranges, count}}))
      std::abort();
    acknowledged += loss_.acked_frames().size();
    lost += loss_.lost_frames().size();
    if (loss_.next_timeout() < now_) std::abort();
  }

  loss_detector loss_{loss_detector::config{}};
  time_point now_ = start;
  std::uint64_t next_ = 0;
  std::uint64_t upto_ = 0;
  std::uint64_t lossy_every_;
};

}  // namespace

TEST_CASE("loss_detector: a bulk transfer allocates nothing", "[quic][recovery][allocation]") {
  for (const std::uint64_t lossy_every : {0u, 400u}) {
    bulk_transfer transfer(lossy_every);
    transfer.run(100);
    const std::uint64_t before = allocations;
    transfer.run(2'000);
    const std::uint64_t made = allocations - before;
    CHECK(made == 0);
    CHECK(transfer.acknowledged > 80'000);
    CHECK((transfer.lost != 0) == (lossy_every != 0));
  }
}

TEST_CASE("ack_tracker: receiving allocates nothing", "[quic][recovery][allocation]") {
  ack_tracker acks(25ms);
  const std::uint64_t before = allocations;
  for (std::uint64_t n = 0; n != 10'000; ++n) {
    acks.on_packet_received(start, n + n / 7, true, strata::transport::ecn::ect0);
    acks.on_ack_sent();
  }
  CHECK(allocations == before);
}

TEST_CASE("loss_detector: what a packet costs", "[.benchmark]") {
  for (const std::uint64_t lossy_every : {0u, 400u}) {
    bulk_transfer transfer(lossy_every);
    transfer.run(1'000);
    double best = 1e9;
    for (int repeat = 0; repeat != 20; ++repeat) {
      const double begin = used();
      transfer.run(5'000);
      best = std::min(best, (used() - begin) / 200'000);
    }
    std::printf("sent + acknowledged%s: %.1f ns/packet\n", lossy_every == 0 ? "" : ", 0.25 % lost",
                best);
  }
  ack_tracker acks(25ms);
  double received = 1e9;
  for (int repeat = 0; repeat != 20; ++repeat) {
    const double begin = used();
    for (int n = 0; n != 200'000; ++n) {
      const std::uint64_t number = acks.largest().value_or(0) + 1;
      if (acks.is_duplicate(number)) std::abort();
      acks.on_packet_received(start, number, true, strata::transport::ecn::not_ect);
      if (n % 40 == 39) acks.on_ack_sent();
    }
    received = std::min(received, (used() - begin) / 200'000);
  }
  std::printf("received in order: %.1f ns/packet\n", received);
  pacer pace;
  std::uint64_t total = 0;
  const double pacing = used();
  for (int n = 0; n != 1'000'000; ++n) {
    const time_point now = start + n * 10us;
    total += pace.allowance(now, {.window = 1'000'000, .smoothed_rtt = 10ms});
    pace.on_sent(now, 1'000);
  }
  std::printf("pacer: %.1f ns/ask (%llu)\n", (used() - pacing) / 1'000'000,
              static_cast<unsigned long long>(total));
}
