// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "strata/transport/core/datagram.hpp"
#include "testkit/fake_random.hpp"
#include "testkit/virtual_network_conditions.hpp"

namespace strata::testkit {

enum class drop_cause : std::uint8_t {
  filtered,  ///< The test's own filter.
  masked,    ///< conditions::masked
  outage,
  too_large,
  queue,
  loss,
  burst,
  unroutable,  ///< Nobody has the address, or a NAT has forgotten it.
};
inline constexpr std::size_t drop_causes = 8;

/// Counted in datagrams. sent == delivered + dropped + under way - duplicated.
struct link_counters {
  std::uint64_t sent = 0, delivered = 0;
  std::uint64_t duplicated = 0, corrupted = 0, reordered = 0;
  std::uint64_t congestion_marked = 0, marks_changed = 0;
  std::uint64_t bytes_sent = 0, bytes_delivered = 0;
  std::array<std::uint64_t, drop_causes> drops{};

  std::uint64_t dropped(drop_cause cause) const { return drops[static_cast<std::size_t>(cause)]; }
  std::uint64_t dropped() const;
};

/// Datagrams between nodes, in virtual time: nothing here knows what they carry. Each direction
/// between two nodes has its own conditions and its own randomness, which follows from the seed and
/// the two nodes alone, so a run replays whatever else happens. Not for several threads.
class virtual_network {
 public:
  using node = std::uint32_t;
  /// False drops the datagram. Sees it as it was sent.
  using filter = std::function<bool(const transport::datagram_batch&)>;
  using line_writer = std::function<void(std::string_view)>;

  explicit virtual_network(std::uint64_t seed,
                           time_point start = time_point(std::chrono::hours(1)));
  virtual_network(const virtual_network&) = delete;
  ~virtual_network();

  /// A node that others reach at `own`; nodes count from zero.
  node add_node(const transport::address& own);
  /// One more address of a node, as for a second interface.
  void add_address(node which, const transport::address& own);
  /// For all directions, also those of nodes added later. What is under way stays.
  void set_conditions(const conditions& all);
  void set_conditions(node from, node to, const conditions& one_way);
  void set_filter(node from, node to, filter pass);
  void set_nat(node which, const nat_conditions& nat);
  /// What others see of this node changes now: the old addresses lead nowhere from here on.
  void rebind(node which, bool new_ip);
  /// Datagrams of one size that arrive one after the other come as one batch, as from GRO.
  void set_joined(bool joined) { joined_ = joined; }
  /// One line for what happens to each datagram.
  void set_trace(line_writer write) { trace_ = std::move(write); }

  /// Cuts the batch and puts its datagrams under way. The source is what.local, or the node's first
  /// address of the right family; one that is not the node's own is forged, and goes out as it is.
  /// Errors, after which nothing was sent: message_too_large, would_block, unreachable, refused.
  std::error_code send(time_point now, node from, const transport::transmit& what,
                       transport::bytes payload);

  std::optional<time_point> next_arrival() const;
  /// Hands everything due to `receive(node, const datagram_batch&)` in order of arrival; it may
  /// send. The payload is lent for the call. Returns the number of calls.
  template <class Receive>
  std::size_t deliver(time_point now, Receive&& receive) {
    std::size_t calls = 0;
    for (node to; const transport::datagram_batch* batch = take(now, to); ++calls)
      receive(to, *batch);
    return calls;
  }

  /// Of one direction, or of all together.
  link_counters counters(node from, node to) const;
  link_counters counters() const;
  /// Follows from every delivery so far: two runs that agree on it were the same.
  std::uint64_t digest() const { return digest_; }

 private:
  struct link;
  struct member;
  struct packet;
  struct route {
    node to;
    transport::address inside;
  };
  struct due {
    time_point when;
    std::uint64_t order;
    std::uint32_t slot;
  };
  struct later;
  struct trace_event;

  link& link_of(node from, node to);
  transport::address source_of(member& sender, const transport::transmit& what) const;
  const route* find_route(time_point now, const transport::address& to);
  void rebind_if_due(time_point now, node which);
  transport::address new_outside(const transport::address& inside, bool new_ip);
  std::error_code refuse(link& on, time_point now, std::size_t segment);
  void send_datagram(time_point now, link& on, const transport::datagram_batch& datagram);
  std::optional<drop_cause> fate(time_point now, link& on,
                                 const transport::datagram_batch& datagram);
  std::optional<time_point> leave_queue(time_point now, link& on, std::size_t size);
  transport::ecn change_mark(link& on, transport::ecn mark);
  void schedule(time_point when, link& on, const transport::datagram_batch& datagram);
  void corrupt(link& on, packet& damaged);
  const transport::datagram_batch* take(time_point now, node& to);
  void join_following(time_point now, packet& first);
  due pop();
  void arrived(time_point when, const packet& what);
  void write_trace(const trace_event& event) const;

  std::uint64_t seed_;
  time_point start_;
  fake_random random_;
  conditions default_conditions_;
  std::vector<std::unique_ptr<member>> nodes_;
  std::unordered_map<std::uint64_t, std::unique_ptr<link>> links_;
  std::unordered_map<transport::address, route> routes_;
  std::uint64_t unroutable_ = 0, unroutable_bytes_ = 0;
  std::vector<due> arrivals_;  ///< A heap.
  std::vector<std::unique_ptr<packet>> packets_;
  std::vector<std::uint32_t> free_;
  std::optional<std::uint32_t> lent_;
  std::vector<std::byte> join_;
  transport::datagram_batch batch_;
  std::uint64_t order_ = 0;
  std::uint64_t digest_ = 0;
  bool joined_ = false;
  line_writer trace_;
};

}  // namespace strata::testkit
