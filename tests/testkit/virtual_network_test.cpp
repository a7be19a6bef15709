// SPDX-License-Identifier: Apache-2.0
#include "testkit/virtual_network.hpp"

#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <string>

#include "strata/transport/core/error.hpp"

using namespace strata::transport;
using namespace strata::testkit;
using namespace std::chrono_literals;

namespace {

const address address_a = address::parse("192.0.2.1:1000").value();
const address address_b = address::parse("198.51.100.2:443").value();
const time_point start(1h);

struct delivery {
  duration when;
  virtual_network::node to;
  std::vector<std::byte> payload;
  std::uint16_t stride;
  ecn mark;
  address remote, local;
};

/// Two nodes and what arrived so far.
struct two_nodes {
  explicit two_nodes(const conditions& all = {}, std::uint64_t seed = 1) : network(seed, start) {
    a = network.add_node(address_a);
    b = network.add_node(address_b);
    network.set_conditions(all);
  }

  std::error_code send(duration at, std::size_t size, std::size_t segment = 0,
                       ecn mark = ecn::not_ect) {
    std::vector<std::byte> payload(size);
    for (std::size_t i = 0; i < size; ++i)
      payload[i] = static_cast<std::byte>(i / (segment == 0 ? 1 : segment));
    if (segment == 0 && size != 0) payload[0] = static_cast<std::byte>(sent++);
    return network.send(start + at, a,
                        {.size = static_cast<std::uint32_t>(size),
                         .segment = static_cast<std::uint16_t>(segment),
                         .mark = mark,
                         .remote = address_b},
                        payload);
  }

  std::error_code answer(duration at, const address& to) {
    return network.send(start + at, b, {.size = 1, .segment = 1, .remote = to},
                        std::array{std::byte{7}});
  }

  /// Runs to the end, each arrival at its own time.
  std::vector<delivery>& run() {
    while (const auto next = network.next_arrival()) {
      network.deliver(*next, [&](virtual_network::node to, const datagram_batch& batch) {
        const bytes payload = batch.payload;
        arrived.push_back({*next - start,
                           to,
                           {payload.begin(), payload.end()},
                           batch.stride,
                           batch.mark,
                           batch.remote,
                           batch.local});
      });
    }
    return arrived;
  }

  link_counters counters() const { return network.counters(a, b); }

  virtual_network network;
  virtual_network::node a = 0, b = 0;
  int sent = 0;
  std::vector<delivery> arrived;
};

/// Whether a count of `n` draws is near its expectation: five standard deviations.
bool near(std::uint64_t count, double n, double chance) {
  const double deviation = std::sqrt(n * chance * (1 - chance));
  return std::abs(static_cast<double>(count) - n * chance) <= 5 * deviation + 1;
}

}  // namespace

TEST_CASE("virtual_network: a batch arrives as its datagrams, in order, after the delay",
          "[testkit][network]") {
  two_nodes net({.delay = 15ms});
  REQUIRE(!net.send(1ms, 2500, 1200, ecn::ect0));
  CHECK(net.network.next_arrival() == start + 16ms);
  const auto& arrived = net.run();
  REQUIRE(arrived.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(arrived[i].when == 16ms);
    CHECK(arrived[i].to == net.b);
    CHECK(arrived[i].payload == std::vector(i < 2 ? 1200u : 100u, static_cast<std::byte>(i)));
    CHECK(arrived[i].stride == arrived[i].payload.size());
    CHECK(arrived[i].mark == ecn::ect0);
    CHECK(arrived[i].remote == address_a);
    CHECK(arrived[i].local == address_b);
  }
  CHECK(net.counters().sent == 3);
  CHECK(net.counters().delivered == 3);
  CHECK(net.counters().bytes_delivered == 2500);
}

TEST_CASE("virtual_network: nothing comes before its time", "[testkit][network]") {
  two_nodes net({.delay = 10ms});
  REQUIRE(!net.send(0ms, 100));
  std::size_t calls = net.network.deliver(start + 10ms - 1ns, [](auto, const auto&) {});
  CHECK(calls == 0);
  calls = net.network.deliver(start + 10ms, [](auto, const auto&) {});
  CHECK(calls == 1);
  CHECK(!net.network.next_arrival());
}

TEST_CASE("virtual_network: joined arrivals are one batch with a short tail",
          "[testkit][network]") {
  two_nodes net;
  net.network.set_joined(true);
  REQUIRE(!net.send(0ms, 2500, 1200));
  REQUIRE(!net.send(0ms, 1200));
  REQUIRE(!net.send(0ms, 1200, 0, ecn::ce));
  REQUIRE(!net.send(0ms, 1300));
  const auto& arrived = net.run();
  REQUIRE(arrived.size() == 4);
  CHECK(arrived[0].stride == 1200);
  CHECK(arrived[0].payload.size() == 2500);
  CHECK(arrived[1].payload.size() == 1200);
  CHECK(arrived[2].mark == ecn::ce);
  CHECK(arrived[3].stride == 1300);
  CHECK(net.counters().delivered == 6);
}

TEST_CASE("virtual_network: a receiver may send while it receives", "[testkit][network]") {
  two_nodes net({.delay = 1ms});
  REQUIRE(!net.send(0ms, 100));
  int hops = 0;
  while (const auto next = net.network.next_arrival()) {
    net.network.deliver(*next, [&](virtual_network::node to, const datagram_batch& batch) {
      if (++hops == 100) return;
      const transmit back{
          .size = 100, .segment = 100, .remote = batch.remote, .local = batch.local};
      CHECK(!net.network.send(*next, to, back, batch.payload));
    });
  }
  CHECK(hops == 100);
}

TEST_CASE("virtual_network: losses follow their chance, and bursts are longer",
          "[testkit][network]") {
  constexpr int count = 20'000;
  SECTION("independent") {
    two_nodes net({.loss = 0.2});
    for (int i = 0; i < count; ++i) REQUIRE(!net.send(i * 1us, 20));
    CHECK(near(net.counters().dropped(drop_cause::loss), count, 0.2));
    CHECK(net.run().size() + net.counters().dropped() == count);
  }
  SECTION("bursts") {
    two_nodes net({.burst_begins = 0.01, .burst_ends = 0.25});
    int bursts = 0;
    std::uint64_t before = 0;
    bool in_burst = false;
    for (int i = 0; i < count; ++i) {
      REQUIRE(!net.send(i * 1us, 20));
      const std::uint64_t lost = net.counters().dropped(drop_cause::burst);
      bursts += lost != before && !in_burst;
      in_burst = lost != std::exchange(before, lost);
    }
    CHECK(bursts > 100);
    const double mean = static_cast<double>(before) / bursts;
    CHECK(mean > 3.2);
    CHECK(mean < 4.8);
  }
  SECTION("at most three in a row") {
    two_nodes net({.loss = 0.9, .max_in_a_row = 3});
    int in_a_row = 0, most = 0;
    std::uint64_t before = 0;
    for (int i = 0; i < count; ++i) {
      REQUIRE(!net.send(i * 1us, 20));
      const std::uint64_t lost = net.counters().dropped();
      in_a_row = lost != std::exchange(before, lost) ? in_a_row + 1 : 0;
      most = std::max(most, in_a_row);
    }
    CHECK(most == 3);
  }
}

TEST_CASE("virtual_network: jitter alone keeps the order, reordering breaks it",
          "[testkit][network]") {
  two_nodes net({.delay = 10ms, .jitter = 20ms});
  for (int i = 0; i < 100; ++i) REQUIRE(!net.send(i * 1ms, 20));
  auto& steady = net.run();
  REQUIRE(steady.size() == 100);
  bool spread = false;
  for (int i = 0; i < 100; ++i) {
    CHECK(steady[static_cast<std::size_t>(i)].payload[0] == static_cast<std::byte>(i));
    CHECK(steady[static_cast<std::size_t>(i)].when >= i * 1ms + 10ms);
    CHECK(steady[static_cast<std::size_t>(i)].when <= i * 1ms + 30ms);
    spread |= steady[static_cast<std::size_t>(i)].when != i * 1ms + 10ms;
  }
  CHECK(spread);

  two_nodes shuffled({.delay = 10ms, .reorder = 0.3, .held_back = 20ms});
  for (int i = 0; i < 100; ++i) REQUIRE(!shuffled.send(i * 1ms, 20));
  int inversions = 0;
  const auto& arrived = shuffled.run();
  for (std::size_t i = 1; i < arrived.size(); ++i)
    inversions += arrived[i].payload[0] < arrived[i - 1].payload[0];
  CHECK(arrived.size() == 100);
  CHECK(inversions > 5);
  CHECK(shuffled.counters().reordered > 10);
}

TEST_CASE("virtual_network: duplicates arrive twice and are counted", "[testkit][network]") {
  two_nodes net({.duplicate = 0.25});
  for (int i = 0; i < 4000; ++i) REQUIRE(!net.send(i * 1us, 20));
  CHECK(near(net.counters().duplicated, 4000, 0.25));
  CHECK(net.run().size() == 4000 + net.counters().duplicated);
}

TEST_CASE("virtual_network: damage is delivered: a bit, an end, an appendix",
          "[testkit][network]") {
  two_nodes net({.corrupt = 0.5});
  int flipped = 0, cut = 0, longer = 0;
  for (int i = 0; i < 3000; ++i) REQUIRE(!net.send(0ms, 64, 64));
  const std::vector<std::byte> original(64);
  for (const auto& one : net.run()) {
    if (one.payload.size() < 64) {
      ++cut;
    } else if (one.payload.size() > 64) {
      ++longer;
      CHECK(one.payload.size() <= 80);
    } else if (one.payload != original) {
      ++flipped;
      int bits = 0;
      for (const std::byte octet : one.payload)
        bits += std::popcount(std::to_integer<unsigned>(octet));
      CHECK(bits == 1);
    }
  }
  CHECK(net.arrived.size() == 3000);
  CHECK(flipped > 300);
  CHECK(cut > 300);
  CHECK(longer > 300);
  CHECK(net.counters().corrupted == static_cast<std::uint64_t>(flipped + cut + longer));
}

TEST_CASE("virtual_network: an empty datagram passes, also damaged", "[testkit][network]") {
  two_nodes net({.corrupt = 1});
  net.network.set_joined(true);
  REQUIRE(!net.send(0ms, 0));
  CHECK(net.run().at(0).payload.size() >= 1);
  net.network.set_conditions({});
  REQUIRE(!net.send(0ms, 0));
  CHECK(net.run().at(1).payload.empty());
}

TEST_CASE("virtual_network: the rate spaces datagrams, and the queue drops what is too much",
          "[testkit][network]") {
  // 1,222 bytes with headers, at 1 Mbit/s: 9.776 ms each.
  two_nodes net({.delay = 5ms, .rate = 1'000'000, .queue = 25});
  REQUIRE(!net.send(0ms, 40 * 1194, 1194));
  const auto& arrived = net.run();
  REQUIRE(arrived.size() == 26);  // one on the wire, 25 waiting
  for (std::size_t i = 0; i < arrived.size(); ++i) {
    CHECK(arrived[i].when == 5ms + 9776us * static_cast<int>(i + 1));
  }
  CHECK(net.counters().dropped(drop_cause::queue) == 14);
  REQUIRE(!net.send(400ms, 1194));
  CHECK(net.run().back().when == 400ms + 5ms + 9776us);
}

TEST_CASE("virtual_network: a long queue marks ECT datagrams, never others", "[testkit][network]") {
  two_nodes net({.rate = 1'000'000, .queue = 100, .mark_above = 10});
  REQUIRE(!net.send(0ms, 30 * 1000, 1000, ecn::ect0));
  CHECK(net.counters().congestion_marked == 20);
  REQUIRE(!net.send(0ms, 10 * 1000, 1000));
  CHECK(net.counters().congestion_marked == 20);
  CHECK(net.run()[9].mark == ecn::ect0);
  CHECK(net.arrived[10].mark == ecn::ce);
  CHECK(net.arrived[35].mark == ecn::not_ect);
}

TEST_CASE("virtual_network: bleaching, congestion marks and mangling", "[testkit][network]") {
  two_nodes net({.bleach = 1});
  REQUIRE(!net.send(0ms, 20, 0, ecn::ect0));
  CHECK(net.run().back().mark == ecn::not_ect);
  net.network.set_conditions({.congestion = 1});
  REQUIRE(!net.send(0ms, 20, 0, ecn::ect1));
  CHECK(net.run().back().mark == ecn::ce);
  REQUIRE(!net.send(0ms, 20));
  CHECK(net.run().back().mark == ecn::not_ect);
  net.network.set_conditions({.mangle = 1});
  for (int i = 0; i < 100; ++i) REQUIRE(!net.send(0ms, 20, 0, ecn::ect0));
  CHECK(net.counters().marks_changed > 50);
}

TEST_CASE("virtual_network: payloads of limit-1, limit, limit+1, and a limit that changes",
          "[testkit][network]") {
  conditions rules{.max_payload = 1400};
  rules.size_changes = {{10s, 1250}, {20s, 1500}};
  two_nodes net(rules);
  const auto passes = [&](duration at, std::size_t size) {
    const std::uint64_t before = net.counters().dropped(drop_cause::too_large);
    CHECK(!net.send(at, size));
    return net.counters().dropped(drop_cause::too_large) == before;
  };
  CHECK(passes(0s, 1399));
  CHECK(passes(0s, 1400));
  CHECK(!passes(0s, 1401));
  CHECK(passes(10s - 1ns, 1400));
  CHECK(!passes(10s, 1251));
  CHECK(passes(10s, 1250));
  CHECK(passes(20s, 1500));
  rules.report_too_large = true;
  net.network.set_conditions(net.a, net.b, rules);
  CHECK(net.send(0s, 1401) == errc::message_too_large);
  CHECK(!net.send(0s, 4200, 1400));
}

TEST_CASE("virtual_network: outages are one-way and end", "[testkit][network]") {
  two_nodes net;
  net.network.set_conditions(net.a, net.b, {.outages = {{5s, 7s}}});
  const auto passes = [&](duration at) {
    const std::size_t before = net.arrived.size();
    CHECK(!net.send(at, 20));
    return net.run().size() != before;
  };
  CHECK(passes(5s - 1ns));
  CHECK(!passes(5s));
  CHECK(!passes(7s - 1ns));
  CHECK(!net.answer(6s, address_a));
  CHECK(net.run().back().to == net.a);
  CHECK(passes(7s));
  CHECK(net.counters().dropped(drop_cause::outage) == 2);
}

TEST_CASE("virtual_network: masked datagrams and the test's own filter", "[testkit][network]") {
  two_nodes net({.masked = {2, 3, 7}});
  REQUIRE(!net.send(0ms, 800, 100));
  std::string seen;
  for (const auto& one : net.run())
    seen += static_cast<char>('1' + std::to_integer<int>(one.payload[0]));
  CHECK(seen == "14568");
  net.network.set_filter(net.a, net.b,
                         [](const datagram_batch& one) { return one.payload[0] != std::byte{1}; });
  REQUIRE(!net.send(0ms, 300, 100));
  CHECK(net.run().size() == 7);
  CHECK(net.counters().dropped(drop_cause::filtered) == 1);
}

TEST_CASE("virtual_network: a rebinding changes the source, and the old address leads nowhere",
          "[testkit][network]") {
  const bool new_ip = GENERATE(false, true);
  two_nodes net;
  net.network.rebind(net.a, new_ip);
  REQUIRE(!net.send(0ms, 20));
  const address outside = net.run().back().remote;
  CHECK(outside.port() != address_a.port());
  CHECK(outside.same_ip(address_a) == !new_ip);
  CHECK(!net.answer(0ms, address_a));
  CHECK(net.run().size() == 1);
  CHECK(net.network.counters().dropped(drop_cause::unroutable) == 1);
  CHECK(!net.answer(0ms, outside));
  CHECK(net.run().size() == 2);
  CHECK(net.arrived.back().to == net.a);
  CHECK(net.arrived.back().local == address_a);  // the node itself does not notice
}

TEST_CASE("virtual_network: a NAT rebinds by its schedule, in both directions",
          "[testkit][network]") {
  two_nodes net;
  net.network.set_nat(net.a, {.first = 1s, .every = 5s});
  std::vector<address> seen;
  for (const duration at : {0s, 2s, 3s, 7s, 30s}) {
    CHECK(!net.send(at, 20));
    seen.push_back(net.run().back().remote);
  }
  CHECK(seen[0] == address_a);
  CHECK(seen[1] != seen[0]);
  CHECK(seen[2] == seen[1]);
  CHECK(seen[3] != seen[2]);
  CHECK(seen[4] != seen[3]);
  CHECK(!net.answer(40s, seen[4]));  // the next rebinding was due at 31 s
  CHECK(net.run().size() == 5);
}

TEST_CASE("virtual_network: sources are the node's own, or forged as asked", "[testkit][network]") {
  two_nodes net;
  const address second = address::parse("192.0.2.9:1001").value();
  net.network.add_address(net.a, second);
  const auto source = [&](const address& local) {
    CHECK(!net.network.send(start, net.a,
                            {.size = 1, .segment = 1, .remote = address_b, .local = local},
                            std::array{std::byte{1}}));
    return net.run().back().remote;
  };
  CHECK(source({}) == address_a);
  CHECK(source(address::any_v4(0)) == address_a);
  CHECK(source(second) == second);
  CHECK(source(second.with_port(0)) == second);
  CHECK(source(address_b) == address_b);
}

TEST_CASE("virtual_network: send errors come at their chance and send nothing",
          "[testkit][network]") {
  two_nodes net({.send_error = 0.3});
  int errors = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto failure = net.send(0ms, 20);
    errors += failure ? 1 : 0;
    if (failure)
      CHECK((failure == errc::would_block || failure == errc::unreachable ||
             failure == errc::refused));
  }
  CHECK(near(static_cast<std::uint64_t>(errors), 2000, 0.3));
  CHECK(net.counters().sent == static_cast<std::uint64_t>(2000 - errors));
}

namespace {

struct replay {
  std::uint64_t digest;
  link_counters counters;
  std::string trace;
};

replay run_swarm(std::uint64_t seed, bool other_traffic) {
  two_nodes net(conditions::from_seed(seed), seed);
  net.network.set_conditions(net.b, net.a, conditions::from_seed(seed + 1));
  net.network.set_nat(net.a, nat_conditions::from_seed(seed));
  const auto c = net.network.add_node(address::parse("[2001:db8::3]:9").value());
  replay out;
  net.network.set_trace([&](std::string_view line) {
    if (line.find(" 0>1 ") != line.npos) out.trace.append(line) += '\n';
  });
  for (int i = 0; i < 200; ++i) {
    (void)net.send(i * 10ms, 5000, 1000, ecn::ect0);
    if (other_traffic && i % 3 == 0) {
      (void)net.network.send(start + i * 10ms, c, {.size = 1, .segment = 1, .remote = address_b},
                             std::array{std::byte{1}});
    }
    net.network.deliver(start + i * 10ms,
                        [&](virtual_network::node to, const datagram_batch& batch) {
                          if (to == net.b) (void)net.answer(i * 10ms, batch.remote);
                        });
  }
  net.run();
  out.digest = net.network.digest();
  out.counters = net.network.counters();
  const auto& sum = out.counters;
  CHECK(sum.sent + sum.duplicated == sum.delivered + sum.dropped());
  return out;
}

}  // namespace

TEST_CASE("virtual_network: a seed replays exactly, and seeds differ", "[testkit][network]") {
  std::uint64_t last = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    const replay one = run_swarm(seed, false), two = run_swarm(seed, false);
    CHECK(one.digest == two.digest);
    CHECK(one.trace == two.trace);
    CHECK(one.counters.drops == two.counters.drops);
    CHECK(one.digest != last);
    last = one.digest;
  }
}

TEST_CASE("virtual_network: traffic elsewhere does not change what a direction draws",
          "[testkit][network]") {
  const replay alone = run_swarm(42, false), beside = run_swarm(42, true);
  CHECK(!alone.trace.empty());
  CHECK(alone.trace == beside.trace);
}

TEST_CASE("virtual_network: swarm draws stay in their ranges and reach each fault",
          "[testkit][network]") {
  int lossy = 0, bursty = 0, limited = 0, outages = 0, sizes = 0, nats = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const conditions drawn = conditions::from_seed(seed);
    CHECK(drawn.delay <= 750ms);
    CHECK(drawn.loss <= 0.3);
    CHECK(drawn.reorder <= 0.5);
    CHECK(drawn.duplicate <= 0.5);
    CHECK(drawn.corrupt <= 0.05);
    CHECK(drawn.max_payload >= 1200);
    if (drawn.rate != 0) {
      CHECK(drawn.rate >= 10'000);
      CHECK(drawn.rate <= 1'000'000'000);
      CHECK(drawn.queue >= 1);
      CHECK(drawn.queue <= 1000);
    }
    for (const auto& change : drawn.size_changes) CHECK(change.max_payload >= 1200);
    for (const auto& outage : drawn.outages) CHECK(outage.end - outage.begin <= 60s);
    lossy += drawn.loss > 0;
    bursty += drawn.burst_begins > 0;
    limited += drawn.rate > 0;
    outages += !drawn.outages.empty();
    sizes += !drawn.size_changes.empty();
    const nat_conditions nat = nat_conditions::from_seed(seed);
    nats += nat.every > 0s;
    if (nat.every > 0s) CHECK((nat.every >= 1s && nat.every <= 30s));
  }
  for (const int reached : {lossy, bursty, limited, outages, sizes, nats}) CHECK(reached > 200);
  const conditions calm = conditions::calm();
  CHECK(calm.loss + calm.corrupt + calm.reorder + calm.duplicate + calm.burst_begins == 0);
}
