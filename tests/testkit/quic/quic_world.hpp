// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "strata/quic/core/endpoint.hpp"
#include "testkit/fake_random.hpp"
#include "testkit/quic/quic_invariants.hpp"
#include "testkit/virtual_network.hpp"

namespace strata::testkit {

using transport::bytes;
using transport::mutable_bytes;

class quic_node;

/// What runs on a node: it gets the endpoint's events and commands it, as a driver's application
/// would.
class quic_application {
 public:
  virtual ~quic_application() = default;
  virtual void on_event(quic_node& node, const quic::core::event& event) = 0;
  /// After the events of a turn; lent input is still there.
  virtual void on_turn(quic_node&) {}
  /// When it wants to act without an event.
  virtual std::optional<time_point> next_action() const { return std::nullopt; }
};

/// An endpoint in the virtual network.
class quic_node {
 public:
  quic_node(std::uint64_t seed, const transport::address& own,
            const quic::core::endpoint_config& config,
            std::unique_ptr<quic::core::tls_backend> tls);

  time_point now{};  ///< By its own clock.
  transport::address own;
  fake_random random;
  fake_wall_clock clock;
  std::unique_ptr<quic::core::tls_backend> tls;
  quic::core::endpoint endpoint;
  std::unique_ptr<quic_application> application;
  virtual_network::node address_in_network = 0;
  unsigned max_segments = 64;

 private:
  friend class quic_world;
  struct waiting_batch {
    transport::datagram_batch batch;
    std::vector<std::byte> payload;
  };

  quic_invariants invariants_;
  amplification_watch amplification_;
  bool is_server_;
  duration clock_ahead_{0};
  time_point asleep_until_{};
  std::vector<waiting_batch> waiting_;  ///< In the socket of a node that sleeps.
  /// Turns at one instant without anything received: a timer that is due again and again would show
  /// here.
  unsigned idle_turns_ = 0;
  time_point last_turn_{};
};

/// Endpoints on one virtual network in virtual time, one thread, one seed. It drives each endpoint
/// as a driver does and watches what must always hold; a breach is an exception whose text says
/// what happened.
class quic_world {
 public:
  explicit quic_world(std::uint64_t seed);

  quic_node& add(const transport::address& own, const quic::core::endpoint_config& config,
                 std::unique_ptr<quic::core::tls_backend> tls);

  /// Runs until `done` or until nothing is left to happen; false when `limit` of virtual time
  /// passed first.
  bool run(transport::duration limit, const std::function<bool()>& done);
  time_point now() const noexcept { return now_; }

  /// Does something at an instant of its own, once.
  void at(time_point when, std::function<void()> what);
  /// The node's clock leaps ahead, as when a machine was asleep.
  void jump_clock(quic_node& node, duration by);
  /// The node gets no turn for so long; what arrives meanwhile waits in its socket, which is small.
  void put_to_sleep(quic_node& node, duration how_long);
  /// The node's program dies and another one takes its place and address; the old one is gone, its
  /// reference too.
  quic_node& restart(const quic_node& crashed, const quic::core::endpoint_config& config,
                     std::unique_ptr<quic::core::tls_backend> tls);
  /// Called after every turn.
  std::function<void()> watch;

  virtual_network network;
  fake_random random;
  std::uint64_t turns = 0;

 private:
  struct appointment {
    time_point when;
    std::function<void()> what;
  };

  std::optional<time_point> next_instant() const;
  void keep_appointments();
  void receive(quic_node& node, const transport::datagram_batch& batch);
  void wake(quic_node& node);
  void serve_timers(quic_node& node);
  void turn(quic_node& node, bool received);
  void flush(quic_node& node);
  void check_spin(quic_node& node, bool received);

  time_point now_;
  std::vector<std::unique_ptr<quic_node>> nodes_;
  std::vector<std::byte> out_;
  std::vector<appointment> appointments_;
};

}  // namespace strata::testkit
