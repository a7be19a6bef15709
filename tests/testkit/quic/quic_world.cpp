// SPDX-License-Identifier: Apache-2.0
#include "testkit/quic/quic_world.hpp"

#include <algorithm>
#include <stdexcept>

#include "strata/quic/core/limits.hpp"

namespace strata::testkit {

using quic::core::event;

quic_node::quic_node(std::uint64_t seed, const transport::address& address,
                     const quic::core::endpoint_config& config,
                     std::unique_ptr<quic::core::tls_backend> backend)
    : own(address), random(seed), tls(std::move(backend)), endpoint(config, random, clock, *tls) {}

quic_world::quic_world(std::uint64_t seed)
    : network(seed),
      random(seed ^ 0x5157),
      now_(time_point(std::chrono::hours(1))),
      seed_(seed),
      out_(quic::core::limits::max_batch_bytes) {}

quic_node& quic_world::add(const transport::address& own, const quic::core::endpoint_config& config,
                           std::unique_ptr<quic::core::tls_backend> tls) {
  auto node = std::make_unique<quic_node>(random.next(), own, config, std::move(tls));
  node->address_in_network = network.add_node(own);
  node->now = now_;
  nodes_.push_back(std::move(node));
  return *nodes_.back();
}

std::optional<time_point> quic_world::next_instant() const {
  std::optional<time_point> next = network.next_arrival();
  const auto consider = [&next](std::optional<time_point> candidate) {
    if (candidate && (!next || *candidate < *next)) next = candidate;
  };
  for (const auto& node : nodes_) {
    consider(node->endpoint.next_timeout());
    if (node->application) consider(node->application->next_action());
  }
  return next;
}

void quic_world::flush(quic_node& node) {
  while (const auto batch = node.endpoint.poll_transmit(now_, out_, node.max_segments)) {
    if (batch->size == 0 || batch->size > quic::core::limits::max_batch_bytes)
      throw std::logic_error("batch of a wrong size");
    const bytes payload = bytes(out_).first(batch->size);
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
    for (const auto& node : nodes_) node->now = now_;
    network.deliver(now_, [this](virtual_network::node to, const transport::datagram_batch& batch) {
      quic_node& node = *nodes_[to];
      node.endpoint.receive(now_, batch);
      turn(node, true);
    });
    for (const auto& node : nodes_) {
      const auto timeout = node->endpoint.next_timeout();
      const auto action = node->application ? node->application->next_action() : std::nullopt;
      const bool due = timeout && *timeout <= now_;
      if (due) node->endpoint.handle_timeout(now_);
      if (due || (action && *action <= now_)) turn(*node, false);
    }
  }
  return true;
}

}  // namespace strata::testkit
