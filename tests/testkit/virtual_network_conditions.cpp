// SPDX-License-Identifier: Apache-2.0
#include "testkit/virtual_network_conditions.hpp"

#include <algorithm>
#include <cmath>

#include "testkit/fake_random.hpp"

namespace strata::testkit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A queue that takes longer to drain than any timeout would only show that timeouts work.
constexpr double max_queue_seconds = 10;
constexpr double bits_of_full_datagram = 12'000;
/// Windows and changes begin within this time, so that runs of ordinary length meet them.
constexpr seconds eventful{60};

class draw {
 public:
  explicit draw(std::uint64_t seed) : random_(seed) {}

  bool coin() { return random_.happens(0.5); }
  double unit() { return static_cast<double>(random_.next() >> 11) * 0x1.0p-53; }
  /// In [0, most], small values more often.
  double chance(double most) { return coin() ? most * unit() * unit() : 0; }
  duration time(duration least, duration most) {
    return least + duration(static_cast<duration::rep>(
                       unit() * static_cast<double>((most - least).count())));
  }
  /// In [least, most], each order of magnitude as likely as the next.
  double magnitude(double least, double most) { return least * std::pow(most / least, unit()); }
  std::uint32_t count(std::uint32_t least, std::uint32_t most) {
    return least + static_cast<std::uint32_t>(random_.below(most - least + 1));
  }

 private:
  fake_random random_;
};

}  // namespace

conditions conditions::from_seed(std::uint64_t seed) {
  draw draw(seed);
  conditions out;
  out.delay = duration(milliseconds(1)) * static_cast<duration::rep>(draw.magnitude(1, 751) - 1);
  if (draw.coin()) out.jitter = draw.time({}, std::max<duration>(out.delay / 2, milliseconds(5)));
  out.loss = draw.chance(0.3);
  if (draw.coin()) {
    out.burst_begins = 0.01 * draw.unit();
    out.burst_ends = 0.1 + 0.9 * draw.unit();
  }
  out.reorder = draw.chance(0.5);
  out.held_back = draw.time(milliseconds(1), milliseconds(100));
  out.duplicate = draw.chance(0.5);
  out.corrupt = draw.chance(0.05);
  if (draw.coin()) {
    const double rate = draw.magnitude(10e3, 1e9);
    const double longest = std::max(1.0, max_queue_seconds * rate / bits_of_full_datagram);
    out.rate = static_cast<std::uint64_t>(rate);
    out.queue = static_cast<std::uint32_t>(std::min(draw.magnitude(1, 1001), longest));
    if (draw.coin()) out.mark_above = 1 + out.queue / 2;
  }
  if (draw.coin()) {
    out.max_payload = draw.count(1200, 9000);
    out.report_too_large = draw.coin();
    duration at{0};
    for (auto changes = draw.count(0, 3); changes != 0; --changes) {
      at += draw.time(milliseconds(1), eventful / 3);
      out.size_changes.push_back({at, draw.count(1200, 9000)});
    }
  }
  out.bleach = draw.coin() ? 0 : draw.coin() ? 1 : draw.unit();
  out.congestion = draw.chance(0.2);
  out.mangle = draw.coin() ? 0 : draw.chance(0.05);
  out.send_error = draw.chance(0.02);
  if (draw.count(0, 4) == 0) {
    const duration begin = draw.time({}, eventful);
    out.outages.push_back({begin, begin + draw.time(seconds(2), seconds(60))});
  }
  return out;
}

conditions conditions::calm(duration delay) { return {.delay = delay}; }

nat_conditions nat_conditions::from_seed(std::uint64_t seed) {
  draw draw(seed);
  if (draw.coin()) return {};
  const duration every = draw.time(seconds(1), seconds(30));
  return {.first = draw.time({}, every), .every = every, .new_ip = draw.coin()};
}

}  // namespace strata::testkit
