// SPDX-License-Identifier: Apache-2.0
#include "testkit/virtual_network.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <deque>
#include <numeric>

#include "strata/transport/core/error.hpp"

namespace strata::testkit {

using transport::address;
using transport::bytes;
using transport::datagram_batch;
using transport::ecn;
using transport::transmit;

namespace {

constexpr std::size_t max_joined_bytes = 65'507;
constexpr std::size_t max_joined_datagrams = 64;
constexpr std::size_t max_appended = 16;

constexpr std::array<const char*, drop_causes> cause_names{"filtered",      "masked",     "outage",
                                                           "too large",     "queue full", "lost",
                                                           "lost in burst", "unroutable"};

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  return fake_random(a ^ (b * 0x9e3779b97f4a7c15 + 0x7f4a7c15)).next();
}

/// IP and UDP headers, which the link carries too.
std::size_t on_the_wire(std::size_t payload, const address& to) {
  return payload + (to.is_v4() ? 28 : 48);
}

bool happens(fake_random& random, double chance) { return chance > 0 && random.happens(chance); }

duration up_to(fake_random& random, duration most) {
  return most <= duration{0} ? duration{0}
                             : duration(static_cast<duration::rep>(
                                   random.next() % (static_cast<std::uint64_t>(most.count()) + 1)));
}

}  // namespace

std::uint64_t link_counters::dropped() const {
  return std::accumulate(drops.begin(), drops.end(), std::uint64_t{0});
}

/// One direction between two nodes.
struct virtual_network::link {
  link(std::uint64_t seed, node from_, node to_)
      : random(mix(mix(seed, from_), to_)), from(from_), to(to_) {}

  fake_random random;
  node from, to;
  conditions rules;
  filter pass;
  link_counters counters;
  std::deque<time_point> departures;  ///< When each waiting datagram will have left.
  time_point last_arrival{};
  std::uint32_t losses_in_a_row = 0, corruptions_in_a_row = 0;
  bool in_burst = false;
};

struct virtual_network::member {
  struct mapping {
    address inside, outside;
  };
  std::vector<mapping> addresses;
  nat_conditions nat;
  std::optional<time_point> next_rebinding;
};

struct virtual_network::packet {
  link* on = nullptr;
  std::vector<std::byte> payload;  ///< Keeps its memory for the next datagram.
  ecn mark = ecn::not_ect;
  address remote, local;
  std::uint64_t number = 0;  ///< In its direction, from 1, as conditions::masked counts.
};

struct virtual_network::trace_event {
  time_point now;
  const link& on;
  std::uint64_t number;
  std::size_t size;
  const char* happened;
};

/// The earliest on top of the heap; of equals the one that was sent first.
struct virtual_network::later {
  bool operator()(const due& a, const due& b) const {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
  }
};

virtual_network::virtual_network(std::uint64_t seed, time_point start)
    : seed_(seed), start_(start), random_(seed) {}
virtual_network::~virtual_network() = default;

virtual_network::node virtual_network::add_node(const address& own) {
  nodes_.push_back(std::make_unique<member>());
  const node added = static_cast<node>(nodes_.size() - 1);
  add_address(added, own);
  return added;
}

void virtual_network::add_address(node which, const address& own) {
  assert(!routes_.contains(own));
  nodes_[which]->addresses.push_back({own, own});
  routes_[own] = {which, own};
}

void virtual_network::set_conditions(const conditions& all) {
  default_conditions_ = all;
  for (auto& [key, one] : links_) one->rules = all;
}

void virtual_network::set_conditions(node from, node to, const conditions& one_way) {
  link_of(from, to).rules = one_way;
}

void virtual_network::set_filter(node from, node to, filter pass) {
  link_of(from, to).pass = std::move(pass);
}

void virtual_network::set_nat(node which, const nat_conditions& nat) {
  member& behind = *nodes_[which];
  behind.nat = nat;
  behind.next_rebinding.reset();
  if (nat.every > duration{0}) behind.next_rebinding = start_ + nat.first;
}

void virtual_network::rebind(node which, bool new_ip) {
  for (auto& mapping : nodes_[which]->addresses) {
    const address outside = new_outside(mapping.outside, new_ip);
    routes_.erase(mapping.outside);
    mapping.outside = outside;
    routes_[outside] = {which, mapping.inside};
  }
}

address virtual_network::new_outside(const address& old, bool new_ip) {
  for (;;) {
    std::array<std::byte, 16> octets{};
    const std::size_t size = old.octets().size();
    std::ranges::copy(old.octets(), octets.begin());
    if (new_ip) octets[size - 1] = static_cast<std::byte>(1 + random_.below(254));
    const auto port = static_cast<std::uint16_t>(1024 + random_.below(64'512));
    const address drawn(bytes(octets).first(size), port, old.scope_id());
    if (!routes_.contains(drawn) && drawn.port() != old.port() && (!new_ip || !drawn.same_ip(old)))
      return drawn;
  }
}

void virtual_network::rebind_if_due(time_point now, node which) {
  member& behind = *nodes_[which];
  if (!behind.next_rebinding || now < *behind.next_rebinding) return;
  rebind(which, behind.nat.new_ip);
  while (*behind.next_rebinding <= now) *behind.next_rebinding += behind.nat.every;
}

virtual_network::link& virtual_network::link_of(node from, node to) {
  auto& slot = links_[std::uint64_t{from} << 32 | to];
  if (!slot) {
    slot = std::make_unique<link>(seed_, from, to);
    slot->rules = default_conditions_;
  }
  return *slot;
}

address virtual_network::source_of(member& sender, const transmit& what) const {
  const bool given =
      what.local.ip_family() != address::family::none && !what.local.is_unspecified();
  for (const auto& mapping : sender.addresses) {
    const bool fits =
        given ? mapping.inside.same_ip(what.local) &&
                    (what.local.port() == 0 || what.local.port() == mapping.inside.port())
              : mapping.inside.ip_family() == what.remote.ip_family();
    if (fits) return mapping.outside;
  }
  return given ? what.local : sender.addresses.front().outside;
}

const virtual_network::route* virtual_network::find_route(time_point now, const address& to) {
  auto found = routes_.find(to);
  if (found == routes_.end()) return nullptr;
  if (nodes_[found->second.to]->next_rebinding) {
    rebind_if_due(now, found->second.to);
    found = routes_.find(to);
  }
  return found == routes_.end() ? nullptr : &found->second;
}

std::error_code virtual_network::send(time_point now, node from, const transmit& what,
                                      bytes payload) {
  assert(payload.size() == what.size);
  rebind_if_due(now, from);
  const std::size_t segment = what.segment == 0 ? payload.size() : what.segment;
  const route* way = find_route(now, what.remote);
  if (way == nullptr) {
    unroutable_ += segment == 0 ? 1 : (payload.size() + segment - 1) / segment;
    unroutable_bytes_ += payload.size();
    return {};
  }
  link& on = link_of(from, way->to);
  if (const auto failure = refuse(on, now, std::min(segment, payload.size()))) return failure;
  datagram_batch datagram{
      .mark = what.mark, .remote = source_of(*nodes_[from], what), .local = way->inside};
  do {
    const bytes one = payload.first(std::min(segment, payload.size()));
    payload = payload.subspan(one.size());
    // Nobody writes through it: the datagram is copied when it goes under way.
    datagram.payload = {const_cast<std::byte*>(one.data()), one.size()};
    datagram.stride = static_cast<std::uint16_t>(one.size());
    send_datagram(now, on, datagram);
  } while (!payload.empty());
  return {};
}

std::error_code virtual_network::refuse(link& on, time_point now, std::size_t segment) {
  auto& rules = on.rules;
  while (!rules.size_changes.empty() && now >= start_ + rules.size_changes.front().at) {
    rules.max_payload = rules.size_changes.front().max_payload;
    rules.size_changes.erase(rules.size_changes.begin());
  }
  if (rules.report_too_large && segment > rules.max_payload)
    return transport::errc::message_too_large;
  if (!happens(on.random, rules.send_error)) return {};
  constexpr std::array errors{transport::errc::would_block, transport::errc::unreachable,
                              transport::errc::refused};
  return errors[on.random.below(errors.size())];
}

std::optional<drop_cause> virtual_network::fate(time_point now, link& on,
                                                const datagram_batch& datagram) {
  const conditions& rules = on.rules;
  if (on.pass && !on.pass(datagram)) return drop_cause::filtered;
  if (!rules.masked.empty() && std::ranges::binary_search(rules.masked, on.counters.sent))
    return drop_cause::masked;
  for (const auto& outage : rules.outages) {
    if (now >= start_ + outage.begin && now < start_ + outage.end) return drop_cause::outage;
  }
  if (datagram.payload.size() > rules.max_payload) return drop_cause::too_large;
  return {};
}

/// When the datagram has left the sender's end of the link; nothing when the queue is full.
std::optional<time_point> virtual_network::leave_queue(time_point now, link& on, std::size_t size) {
  if (on.rules.rate == 0) return now;
  auto& waiting = on.departures;
  while (!waiting.empty() && waiting.front() <= now) waiting.pop_front();
  // The one on the wire does not wait.
  if (on.rules.queue != 0 && waiting.size() > on.rules.queue) return {};
  const time_point begins = waiting.empty() ? now : waiting.back();
  const auto nanoseconds =
      static_cast<std::int64_t>(8'000'000'000 * static_cast<std::uint64_t>(size) / on.rules.rate);
  waiting.push_back(begins + std::chrono::nanoseconds(nanoseconds));
  return waiting.back();
}

ecn virtual_network::change_mark(link& on, ecn mark) {
  const conditions& rules = on.rules;
  const ecn before = mark;
  if (happens(on.random, rules.bleach)) mark = ecn::not_ect;
  if (happens(on.random, rules.mangle)) mark = static_cast<ecn>(on.random.below(4));
  if (mark != before) ++on.counters.marks_changed;
  const bool capable = mark == ecn::ect0 || mark == ecn::ect1;
  const bool full = rules.mark_above != 0 && on.departures.size() > rules.mark_above;
  if (capable && (full || happens(on.random, rules.congestion))) {
    ++on.counters.congestion_marked;
    return ecn::ce;
  }
  return mark;
}

void virtual_network::send_datagram(time_point now, link& on, const datagram_batch& datagram) {
  const conditions& rules = on.rules;
  const std::size_t size = datagram.payload.size();
  ++on.counters.sent;
  on.counters.bytes_sent += size;
  std::optional<drop_cause> dropped = fate(now, on, datagram);
  std::optional<time_point> left;
  if (!dropped) {
    left = leave_queue(now, on, on_the_wire(size, datagram.local));
    if (!left) dropped = drop_cause::queue;
  }
  if (!dropped) {
    on.in_burst = on.in_burst ? !happens(on.random, rules.burst_ends)
                              : happens(on.random, rules.burst_begins);
    const bool lost = happens(on.random, rules.loss) || on.in_burst;
    const bool spared = rules.max_in_a_row != 0 && on.losses_in_a_row >= rules.max_in_a_row;
    on.losses_in_a_row = lost && !spared ? on.losses_in_a_row + 1 : 0;
    if (on.losses_in_a_row != 0) dropped = on.in_burst ? drop_cause::burst : drop_cause::loss;
  }
  if (trace_) {
    const char* happened = dropped ? cause_names[static_cast<std::size_t>(*dropped)] : "sent";
    write_trace({now, on, on.counters.sent, size, happened});
  }
  if (dropped) {
    ++on.counters.drops[static_cast<std::size_t>(*dropped)];
    return;
  }
  datagram_batch travelling = datagram;
  travelling.mark = change_mark(on, datagram.mark);
  time_point arrives = *left + rules.delay + up_to(on.random, rules.jitter);
  if (happens(on.random, rules.reorder)) {
    ++on.counters.reordered;
    arrives += up_to(on.random, rules.held_back);
  } else {
    arrives = on.last_arrival = std::max(arrives, on.last_arrival);
  }
  schedule(arrives, on, travelling);
  if (happens(on.random, rules.duplicate)) {
    ++on.counters.duplicated;
    schedule(arrives + up_to(on.random, rules.jitter + std::chrono::milliseconds(1)), on,
             travelling);
  }
}

void virtual_network::schedule(time_point when, link& on, const datagram_batch& datagram) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(packets_.size()));
    packets_.push_back(std::make_unique<packet>());
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  packet& under_way = *packets_[slot];
  under_way.on = &on;
  under_way.payload.assign(datagram.payload.begin(), datagram.payload.end());
  under_way.mark = datagram.mark;
  under_way.remote = datagram.remote;
  under_way.local = datagram.local;
  under_way.number = on.counters.sent;
  const bool damaged = happens(on.random, on.rules.corrupt);
  const bool spared =
      on.rules.max_in_a_row != 0 && on.corruptions_in_a_row >= on.rules.max_in_a_row;
  on.corruptions_in_a_row = damaged && !spared ? on.corruptions_in_a_row + 1 : 0;
  if (on.corruptions_in_a_row != 0) corrupt(on, under_way);
  arrivals_.push_back({when, order_++, slot});
  std::ranges::push_heap(arrivals_, later{});
}

void virtual_network::corrupt(link& on, packet& damaged) {
  ++on.counters.corrupted;
  auto& payload = damaged.payload;
  const std::uint64_t kind = payload.empty() ? 2 : on.random.below(3);
  if (kind == 0) {
    const std::uint64_t bit = on.random.below(8 * payload.size());
    payload[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
  } else if (kind == 1) {
    payload.resize(on.random.below(payload.size()));
  } else {
    const std::size_t before = payload.size();
    payload.resize(std::min(before + 1 + on.random.below(max_appended), max_joined_bytes));
    on.random.fill(transport::mutable_bytes(payload).subspan(before));
  }
}

std::optional<time_point> virtual_network::next_arrival() const {
  if (arrivals_.empty()) return {};
  return arrivals_.front().when;
}

virtual_network::due virtual_network::pop() {
  std::ranges::pop_heap(arrivals_, later{});
  const due top = arrivals_.back();
  arrivals_.pop_back();
  return top;
}

const datagram_batch* virtual_network::take(time_point now, node& to) {
  if (lent_) free_.push_back(*std::exchange(lent_, {}));
  if (arrivals_.empty() || arrivals_.front().when > now) return nullptr;
  const due first = pop();
  lent_ = first.slot;
  packet& what = *packets_[first.slot];
  arrived(first.when, what);
  to = what.on->to;
  batch_ = {.payload = what.payload, .mark = what.mark, .remote = what.remote, .local = what.local};
  batch_.stride = static_cast<std::uint16_t>(what.payload.size());
  if (joined_ && !what.payload.empty()) join_following(now, what);
  return &batch_;
}

void virtual_network::join_following(time_point now, packet& first) {
  join_.assign(first.payload.begin(), first.payload.end());
  for (std::size_t count = 1; count < max_joined_datagrams && join_.size() % batch_.stride == 0;
       ++count) {
    if (arrivals_.empty() || arrivals_.front().when > now) break;
    const packet& next = *packets_[arrivals_.front().slot];
    const std::size_t size = next.payload.size();
    const bool same = next.on == first.on && next.mark == first.mark &&
                      next.remote == first.remote && next.local == first.local && size != 0 &&
                      size <= batch_.stride;
    if (!same || join_.size() + size > max_joined_bytes) break;
    join_.insert(join_.end(), next.payload.begin(), next.payload.end());
    const due taken = pop();
    arrived(taken.when, next);
    free_.push_back(taken.slot);
  }
  batch_.payload = join_;
}

void virtual_network::arrived(time_point when, const packet& what) {
  link& on = *what.on;
  ++on.counters.delivered;
  on.counters.bytes_delivered += what.payload.size();
  const std::uint64_t shape =
      std::uint64_t{on.to} << 32 | what.payload.size() << 2 | static_cast<std::uint64_t>(what.mark);
  digest_ = mix(digest_ ^ static_cast<std::uint64_t>(when.time_since_epoch().count()), shape);
  for (const std::byte octet :
       bytes(what.payload).first(std::min<std::size_t>(what.payload.size(), 32))) {
    digest_ = (digest_ ^ std::to_integer<std::uint64_t>(octet)) * 0x100000001b3;
  }
  if (trace_) write_trace({when, on, what.number, what.payload.size(), "delivered"});
}

void virtual_network::write_trace(const trace_event& event) const {
  std::array<char, 128> line;
  const double seconds = std::chrono::duration<double>(event.now - start_).count();
  const int length = std::snprintf(
      line.data(), line.size(), "%.6f %u>%u #%llu %zu bytes %s", seconds, event.on.from,
      event.on.to, static_cast<unsigned long long>(event.number), event.size, event.happened);
  trace_({line.data(), std::min(static_cast<std::size_t>(length), line.size() - 1)});
}

link_counters virtual_network::counters(node from, node to) const {
  const auto found = links_.find(std::uint64_t{from} << 32 | to);
  return found == links_.end() ? link_counters{} : found->second->counters;
}

link_counters virtual_network::counters() const {
  link_counters sum;
  sum.sent = unroutable_;
  sum.bytes_sent = unroutable_bytes_;
  sum.drops[static_cast<std::size_t>(drop_cause::unroutable)] = unroutable_;
  for (const auto& [key, one] : links_) {
    const link_counters& add = one->counters;
    sum.sent += add.sent;
    sum.delivered += add.delivered;
    sum.duplicated += add.duplicated;
    sum.corrupted += add.corrupted;
    sum.reordered += add.reordered;
    sum.congestion_marked += add.congestion_marked;
    sum.marks_changed += add.marks_changed;
    sum.bytes_sent += add.bytes_sent;
    sum.bytes_delivered += add.bytes_delivered;
    for (std::size_t i = 0; i < drop_causes; ++i) sum.drops[i] += add.drops[i];
  }
  return sum;
}

}  // namespace strata::testkit
