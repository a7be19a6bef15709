// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "strata/mux/core/yamux_session.hpp"
#include "testkit/mux/byte_pipe.hpp"
#include "testkit/mux/choices.hpp"
#include "testkit/mux/yamux_application.hpp"
#include "testkit/mux/yamux_wire_checker.hpp"

namespace strata::testkit {

/// Two sessions with an application each, joined by two byte pipes, in virtual time. Every step is
/// a choice: who acts, how many bytes pass, whether time does. What must hold is checked after each
/// of them; a breach throws std::logic_error.
class yamux_world {
 public:
  struct plan {
    mux::core::yamux_config client;
    mux::core::yamux_config server;
    transport::duration delay{};  ///< One way.
    std::size_t capacity = 64 * 1024;
    bool stalls = false;       ///< Pipes stop for a while, now and then.
    bool clock_jumps = false;  ///< By minutes and hours.
    bool slow_reader = false;  ///< The server's application does not read for a long time.
    bool gives_up = true;
  };
  enum class cut : std::uint8_t { silent, ended, reset };

  yamux_world(const plan& made, choices& chosen, std::uint64_t seed);

  /// One thing happens.
  void step();
  /// The carrier fails now, unless it has already.
  void cut_carrier(cut how);
  /// Faults end, both applications wind up: true when nothing is left on either side, or both
  /// sessions are over.
  bool converge();
  /// Both sessions are over, and have said so.
  bool over() const;
  /// What the two ends saw agrees. After converge().
  void compare() const;
  std::string text() const;

  transport::duration elapsed() const { return now_ - begun_; }
  mux::core::yamux_session& session(std::size_t side) { return nodes_[side]->session; }
  yamux_application& application(std::size_t side) { return nodes_[side]->application; }

 private:
  using time_point = transport::time_point;

  struct node {
    node(const mux::core::yamux_config& config, choices& chosen, std::uint64_t seed)
        : random(seed),
          session(config, random),
          application(session, config.role, chosen),
          checker(config.role),
          keep_alive(config.keep_alive_interval) {}

    fake_random random;
    mux::core::yamux_session session;
    yamux_application application;
    yamux_wire_checker checker;
    std::chrono::milliseconds keep_alive;
    byte_pipe* out = nullptr;
    byte_pipe* in = nullptr;
    bool carrier_ended = false;
    unsigned idle_wakes = 0;
  };

  void flush(node& of, bool acts);
  void deliver(node& to, std::size_t most);
  void wake(node& of);
  void pass_time();
  void move_clock(transport::duration by);
  void check(node& of);
  std::optional<time_point> next_due() const;

  plan plan_;
  choices& chosen_;
  time_point begun_{std::chrono::hours(1)};
  time_point now_ = begun_;
  std::array<byte_pipe, 2> pipes_;
  std::array<std::unique_ptr<node>, 2> nodes_;
  bool is_cut_ = false;
  bool silent_ = false;
};

}  // namespace strata::testkit
