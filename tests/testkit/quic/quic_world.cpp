// SPDX-License-Identifier: Apache-2.0
#include "testkit/quic/quic_world.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "strata/quic/core/limits.hpp"

namespace strata::testkit {

using quic::core::event;

quic_node::quic_node(std::uint64_t seed, const transport::address& address,
                     const quic::core::endpoint_config& config,
                     std::unique_ptr<quic::core::tls_backend> backend)
    : own(address),
      random(seed),
      tls(std::move(backend)),
      endpoint(config, random, clock, *tls),
      is_server_(config.accept_incoming) {
  endpoint.observe(&invariants_);
}

quic_world::quic_world(std::uint64_t seed)
    : network(seed),
      random(seed ^ 0x5157),
      now_(time_point(std::chrono::hours(1))),
      out_(quic::core::limits::max_batch_bytes) {}

quic_node& quic_world::add(const transport::address& own, const quic::core::endpoint_config& config,
                           std::unique_ptr<quic::core::tls_backend> tls) {
  auto node = std::make_unique<quic_node>(random.next(), own, config, std::move(tls));
  node->address_in_network = network.add_node(own);
  node->now = now_;
  nodes_.push_back(std::move(node));
  return *nodes_.back();
}

quic_node& quic_world::restart(const quic_node& crashed, const quic::core::endpoint_config& config,
                               std::unique_ptr<quic::core::tls_backend> tls) {
  auto& place = nodes_[crashed.address_in_network];
  auto node = std::make_unique<quic_node>(random.next(), crashed.own, config, std::move(tls));
  node->address_in_network = crashed.address_in_network;
  node->clock_ahead_ = crashed.clock_ahead_;
  node->now = now_ + node->clock_ahead_;
  place = std::move(node);
  return *place;
}

void quic_world::at(time_point when, std::function<void()> what) {
  appointments_.push_back({when, std::move(what)});
}

void quic_world::keep_appointments() {
  for (std::size_t i = 0; i < appointments_.size();) {
    if (appointments_[i].when > now_) {
      ++i;
      continue;
    }
    const auto what = std::move(appointments_[i].what);
    appointments_.erase(appointments_.begin() + static_cast<std::ptrdiff_t>(i));
    what();
  }
}

void quic_world::jump_clock(quic_node& node, duration by) {
  node.clock_ahead_ += by;
  node.now = now_ + node.clock_ahead_;
}

void quic_world::put_to_sleep(quic_node& node, duration how_long) {
  node.asleep_until_ = now_ + how_long;
}

std::optional<time_point> quic_world::next_instant() const {
  std::optional<time_point> next = network.next_arrival();
  const auto consider = [&next](std::optional<time_point> candidate) {
    if (candidate && (!next || *candidate < *next)) next = candidate;
  };
  for (const appointment& one : appointments_) consider(one.when);
  for (const auto& node : nodes_) {
    if (node->asleep_until_ > now_) {
      consider(node->asleep_until_);
      continue;
    }
    if (const auto due = node->endpoint.next_timeout()) consider(*due - node->clock_ahead_);
    if (node->application) consider(node->application->next_action());
  }
  return next;
}

void quic_world::flush(quic_node& node) {
  while (const auto batch = node.endpoint.poll_transmit(node.now, out_, node.max_segments)) {
    if (batch->size == 0 || batch->size > quic::core::limits::max_batch_bytes)
      throw std::logic_error("batch of a wrong size");
    const bytes payload = bytes(out_).first(batch->size);
    if (node.is_server_) node.amplification_.on_sent(batch->remote, batch->size);
    if (const auto failed = network.send(now_, node.address_in_network, *batch, payload)) {
      node.endpoint.transmit_failed(*batch, failed);
    }
  }
}

void quic_world::check_spin(quic_node& node, bool received) {
  constexpr unsigned most = 50;
  const bool same_instant = node.last_turn_ == now_ && !received;
  node.idle_turns_ = same_instant ? node.idle_turns_ + 1 : 0;
  node.last_turn_ = now_;
  if (node.idle_turns_ > most)
    throw std::logic_error("a timer is due for ever: the endpoint spins");
}

void quic_world::turn(quic_node& node, bool received) {
  ++turns;
  check_spin(node, received);
  event occurred;
  while (node.endpoint.poll_event(occurred)) {
    if (node.application) node.application->on_event(node, occurred);
  }
  if (node.application) node.application->on_turn(node);
  node.endpoint.release_input();
  flush(node);
  if (watch) watch();
}

void quic_world::receive(quic_node& node, const transport::datagram_batch& batch) {
  if (node.asleep_until_ > now_) {
    constexpr std::size_t socket_holds = 128;
    if (node.waiting_.size() == socket_holds) return;
    node.waiting_.push_back({batch, {batch.payload.begin(), batch.payload.end()}});
    return;
  }
  if (node.is_server_) {
    for (bytes rest = batch.payload; !rest.empty();) {
      const bytes one = rest.first(std::min<std::size_t>(batch.stride, rest.size()));
      node.amplification_.on_received(batch.remote, one);
      rest = rest.subspan(one.size());
    }
  }
  node.endpoint.receive(node.now, batch);
  turn(node, true);
}

void quic_world::wake(quic_node& node) {
  if (node.waiting_.empty() || node.asleep_until_ > now_) return;
  for (quic_node::waiting_batch& one : std::exchange(node.waiting_, {})) {
    one.batch.payload = one.payload;
    receive(node, one.batch);
  }
}

void quic_world::serve_timers(quic_node& node) {
  if (node.asleep_until_ > now_) return;
  const auto timeout = node.endpoint.next_timeout();
  const auto action = node.application ? node.application->next_action() : std::nullopt;
  const bool due = timeout && *timeout <= node.now;
  if (due) node.endpoint.handle_timeout(node.now);
  if (due || (action && *action <= now_)) turn(node, false);
}

bool quic_world::run(transport::duration limit, const std::function<bool()>& done) {
  const time_point end = now_ + limit;
  for (const auto& node : nodes_) turn(*node, true);
  while (!done()) {
    const auto next = next_instant();
    if (!next) return done();
    if (*next > end) {
      now_ = end;
      return false;
    }
    now_ = std::max(now_, *next);
    for (const auto& node : nodes_) node->now = now_ + node->clock_ahead_;
    keep_appointments();
    network.deliver(now_, [this](virtual_network::node to, const transport::datagram_batch& batch) {
      receive(*nodes_[to], batch);
    });
    for (const auto& node : nodes_) {
      wake(*node);
      serve_timers(*node);
    }
  }
  return true;
}

}  // namespace strata::testkit
