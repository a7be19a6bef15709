// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/outbound_group.hpp"

#include <algorithm>
#include <compare>
#include <utility>

#include "driver/run_opening.hpp"
#include "driver/spawned_operations.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace {

using clock = std::chrono::steady_clock;

/// What is the target's fault, and not that of the way to it.
bool is_of_target(const std::error_code& error) {
  return error == errc::not_allowed || error == errc::command_not_supported ||
         error == transport::errc::name_not_found || error == transport::errc::refused ||
         error == transport::errc::invalid_argument || error == transport::errc::aborted;
}

}  // namespace

struct outbound_group::state {
  struct member {
    outbound_member of;
    member_state seen;
    transport::duration rest{0};
    clock::time_point rests_until{};
  };

  /// The dead come last, those that have rested longest before the others. (A stable sort would say
  /// it as well, but Clang refuses what libstdc++ 12 makes of it.)
  std::vector<std::size_t> order() {
    struct place {
      clock::time_point dead_until;
      transport::duration latency;
      std::size_t turn;
      std::size_t member;
      auto operator<=>(const place&) const = default;
    };
    const auto now = clock::now();
    const bool by_latency = options.policy == group_policy::least_latency;
    const std::size_t first = options.policy == group_policy::round_robin ? turn++ : 0;
    std::vector<place> places;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::size_t which = (first + i) % members.size();
      const member& one = members[which];
      places.push_back({one.rests_until <= now ? clock::time_point::min() : one.rests_until,
                        by_latency ? one.seen.latency : transport::duration{}, i, which});
    }
    std::ranges::sort(places);
    std::vector<std::size_t> made;
    for (const place& each : places) made.push_back(each.member);
    return made;
  }

  void succeeded(member& by, transport::duration took) {
    by.rest = {};
    by.rests_until = {};
    by.seen.alive = true;
    by.seen.latency = by.seen.latency.count() == 0 ? took : (by.seen.latency * 7 + took) / 8;
  }

  void failed(member& by) {
    ++by.seen.failures;
    by.seen.alive = false;
    by.rest = by.rest.count() == 0 ? options.rest : std::min(by.rest * 2, options.max_rest);
    by.rests_until = clock::now() + by.rest;
  }

  /// Each member in turn, alive ones first, until one can; `Start` begins with one of them.
  template <class Result, class Start>
  static asio::awaitable<made<Result>> try_all(std::shared_ptr<state> in, Start start) {
    made<Result> result{.error = make_error_code(errc::no_outbound)};
    const std::vector<std::size_t> order = in->order();
    for (const std::size_t i : order) {
      member& by = in->members[i];
      // One that is dead is asked only when nobody else is left.
      if (clock::now() < by.rests_until && i != order.front()) continue;
      ++by.seen.dials;
      const auto begin = clock::now();
      auto operation = start(*by.of.by);
      auto [error, value] =
          co_await transport::with_timeout(std::move(operation), in->options.dial_timeout, quietly);
      result.error = error;
      result.value = std::move(value);
      if (!error) in->succeeded(by, clock::now() - begin);
      if (!error || is_of_target(error)) co_return result;
      in->failed(by);
    }
    co_return result;
  }

  std::vector<member> members;
  outbound_group_options options;
  std::shared_ptr<spawned_operations<transport::stream>> dials;
  std::shared_ptr<spawned_operations<transport::datagram_socket>> associations;
  std::size_t turn = 0;
};

outbound_group::outbound_group(const asio::any_io_executor& executor,
                               std::vector<outbound_member> members, outbound_group_options options)
    : state_(std::make_shared<state>()) {
  const transport::ready_list ready(executor);
  state_->options = options;
  state_->dials = transport::make_driver<spawned_operations<transport::stream>>(executor, ready);
  state_->associations =
      transport::make_driver<spawned_operations<transport::datagram_socket>>(executor, ready);
  for (outbound_member& each : members) {
    state::member& made = state_->members.emplace_back();
    made.seen.name = each.name;
    made.of = std::move(each);
  }
}

outbound_group::~outbound_group() {
  state_->dials->abort_all();
  state_->associations->abort_all();
}

std::vector<member_state> outbound_group::members() const {
  std::vector<member_state> made;
  for (const state::member& each : state_->members) made.push_back(each.seen);
  return made;
}

asio::any_io_executor outbound_group::do_executor() noexcept { return state_->dials->executor(); }

void outbound_group::do_dial(const transport::target& where,
                             transport::completion<transport::stream_signature> waiting) {
  const auto start = [where](outbound& by) { return by.async_dial(where); };
  state_->dials->start(std::move(waiting), state::try_all<transport::stream>(state_, start));
}

void outbound_group::do_associate(transport::completion<associate_signature> waiting) {
  const auto start = [](outbound& by) { return by.async_associate(); };
  state_->associations->start(std::move(waiting),
                              state::try_all<transport::datagram_socket>(state_, start));
}

}  // namespace v0
}  // namespace strata::proxy
