// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "testkit/mux/yamux_link.hpp"

using namespace strata;
using namespace strata::testkit;
using namespace std::chrono_literals;

namespace {

double gigabits(std::uint64_t bytes, transport::duration took) {
  return 8e-9 * static_cast<double>(bytes) / std::chrono::duration<double>(took).count();
}

double rate(const link_outcome& of) { return gigabits(of.received, of.took); }
double later_rate(const link_outcome& of) { return gigabits(of.received / 2, of.last_half); }

}  // namespace

// A window of 16 MiB and 60 ms allow 2.24 Gbit/s; 256 KiB, where every window begins, 0.035.

TEST_CASE("link: one stream does 1 Gbit/s over a round trip of 60 ms, the start included",
          "[mux][simulation]") {
  const link_outcome got = run_link({});
  INFO(rate(got) << " Gbit/s, then " << later_rate(got));
  CHECK(got.received == 256u << 20);
  CHECK(got.measured_round_trip >= 60ms);
  CHECK(rate(got) >= 1.0);
  CHECK(later_rate(got) >= 1.0);
}

TEST_CASE("link: ten streams together do as well as one", "[mux][simulation]") {
  const link_outcome got = run_link({.streams = 10});
  INFO(rate(got) << " Gbit/s, then " << later_rate(got));
  CHECK(rate(got) >= 1.0);
}

TEST_CASE("link: a window that may not grow is what holds a stream up", "[mux][simulation]") {
  link_transfer made{.bytes = 8u << 20};
  made.config.max_window = 256 * 1024;
  const link_outcome got = run_link(made);
  INFO(rate(got) << " Gbit/s");
  CHECK(rate(got) < 0.04);
  CHECK(rate(got) > 0.02);
}
