// SPDX-License-Identifier: Apache-2.0
#include "driver/session.hpp"

#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "driver/prefixed_stream.hpp"
#include "driver/stream_deadline.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

using namespace std::chrono_literals;
using transport::next_action;
using kind = transport::next_action::kind_type;

constexpr auto parting_time = 1s;
constexpr std::size_t parting_size = std::size_t{256} * 1024;

asio::awaitable<next_action> open(session& in, opened& on, core::inbound_opening& opening) {
  const stream_deadline limit(*on.carrier, in.options().opening_timeout);
  next_action last = co_await run_opening(on, opening);
  if (limit.has_passed()) last = {.kind = kind::failed, .error = transport::errc::timed_out};
  co_return last;
}

/// The opening's last words; true when the carrier goes on after them.
asio::awaitable<bool> answer(session& in, opened& on, core::inbound_opening& opening) {
  const next_action last = co_await open(in, on, opening);
  co_return last.kind == kind::done;
}

void note_failure(session& in, const std::error_code& error) {
  if (error == errc::authentication_failed) {
    in.owner.count_failed_authentication();
  } else if (error == transport::condition::protocol_error) {
    in.owner.count_malformed();
  }
}

asio::awaitable<void> serve_connect(session& in, opened& on, core::inbound_opening& opening) {
  const transport::target where = opening.wanted().where;
  chosen way = co_await choose_outbound(in, where, core::carried::stream);
  std::error_code error = way.error;
  std::unique_ptr<transport::stream> there;
  if (!error) {
    auto dialled = co_await dial(in, way.by, where);
    error = dialled.first;
    there = std::move(dialled.second);
  }
  if (error) {
    opening.refuse(refusal_of(error));
    co_await answer(in, on, opening);
    in.end_request(error);
    co_await part(std::move(on.carrier));
    co_return;
  }
  opening.accept(there->local_address());
  const bool told = co_await answer(in, on, opening);
  if (!told) {
    in.end_request(make_error_code(transport::errc::closed_by_peer));
    co_return;
  }
  transport::relay_options how{.pool = in.settings->pool};
  how.half_closed = in.options().half_closed;
  how.idle = in.options().idle_timeout;
  how.counters = in.counters;
  auto client = with_prefix(std::move(on.carrier), std::move(on.unread));
  const auto [ended, moved] =
      co_await transport::async_relay(std::move(client), std::move(there), how, quietly);
  in.end_request(ended);
}

asio::awaitable<void> serve_page(session& in, opened& on, core::inbound_opening& opening) {
  std::optional<proxy_page> page;
  if (in.options().page) page = in.options().page(opening.wanted().path);
  if (page) {
    opening.answer(page->content_type, transport::as_bytes(page->content));
  } else {
    opening.answer({}, {});
  }
  co_await answer(in, on, opening);
  in.end_request({});
  co_await part(std::move(on.carrier));
}

asio::awaitable<void> serve_request(std::shared_ptr<session> in, opened& on,
                                    core::inbound_opening& opening) {
  switch (opening.wanted().asked) {
    case core::command::connect: co_await serve_connect(*in, on, opening); break;
    case core::command::bind: co_await serve_bind(*in, on, opening); break;
    case core::command::udp_associate: co_await serve_association(in, on, opening); break;
    case core::command::forward: co_await serve_forward(in, on, opening); break;
    case core::command::page: co_await serve_page(*in, on, opening); break;
  }
}

}  // namespace

session::session(session_owner& by, std::shared_ptr<const session_settings> with,
                 transport::address from)
    : owner(by),
      settings(std::move(with)),
      counters(std::make_shared<transport::relay_counters>()),
      began(std::chrono::steady_clock::now()) {
  report.inbound = settings->options.name;
  report.client = from;
}

void session::begin_request(const core::request& wanted) {
  has_request = true;
  began = std::chrono::steady_clock::now();
  *counters = {};
  report.request = wanted;
  report.rule.clear();
  report.outbound.clear();
  report.connecting.reset();
}

void session::end_request(const std::error_code& error) {
  if (!std::exchange(has_request, false)) return;
  session_report last = current();
  last.error = error;
  owner.report(last);
}

session_report session::current() const {
  session_report made = report;
  made.moved = *counters;
  made.lasted = std::chrono::steady_clock::now() - began;
  return made;
}

asio::awaitable<chosen> choose_outbound(session& in, transport::target where, core::carried what) {
  const std::shared_ptr<const proxy_routes> routes = in.settings->routes;
  core::route_query query{
      .where = where, .inbound = in.options().name, .user = in.report.request.user, .what = what};
  core::route way = routes->table.find(query);
  std::vector<transport::address> addresses;
  if (way.needs_addresses) {
    if (routes->names) {
      const transport::resolve_options wanted{.https = false, .port = where.port()};
      auto lookup = routes->names->async_resolve(std::string(where.name()), wanted);
      auto [error, found] = co_await transport::with_timeout(std::move(lookup),
                                                             in.options().connect_timeout, quietly);
      if (!error) addresses = std::move(found->addresses);
    }
    query.addresses = std::span<const transport::address>(addresses);
    way = routes->table.find(query);
  }
  chosen made;
  in.report.rule =
      way.rule == core::route::by_default ? std::string() : routes->table.rules()[way.rule].name;
  in.report.outbound = std::string(way.outbound);
  const auto found = routes->outbounds.find(way.outbound);
  if (way.outbound.empty()) {
    made.error = errc::not_allowed;
  } else if (found == routes->outbounds.end()) {
    made.error = errc::no_outbound;
  } else {
    made.by = found->second;
  }
  co_return made;
}

asio::awaitable<std::pair<std::error_code, std::unique_ptr<transport::stream>>> dial(
    session& in, std::shared_ptr<outbound> by, transport::target where) {
  const auto began = std::chrono::steady_clock::now();
  auto dialling = by->async_dial(std::move(where));
  auto [error, made] =
      co_await transport::with_timeout(std::move(dialling), in.options().connect_timeout, quietly);
  if (!error) in.report.connecting = std::chrono::steady_clock::now() - began;
  co_return std::pair(error, std::move(made));
}

asio::awaitable<void> part(std::unique_ptr<transport::stream> client) {
  if (!client) co_return;
  const auto [finished] = co_await client->async_finish(quietly);
  if (finished) co_return;
  const auto until = std::chrono::steady_clock::now() + parting_time;
  std::array<std::byte, 4096> memory;
  std::size_t left = parting_size;
  // It is not reset when the time is over: what it was told may still be on its way.
  while (left > memory.size() && std::chrono::steady_clock::now() < until) {
    const auto room = asio::buffer(memory);
    auto reading = client->async_read_some(room);
    const auto time = until - std::chrono::steady_clock::now();
    const auto [error, size] = co_await transport::with_timeout(std::move(reading), time, quietly);
    if (error) co_return;
    left -= size;
  }
}

asio::awaitable<void> serve(std::shared_ptr<session> in,
                            std::unique_ptr<transport::stream> client) {
  opened on{.carrier = std::move(client), .refusal_delay = in->options().refusal_delay};
  core::inbound_opening opening(in->options().inbound);
  const next_action first = co_await open(*in, on, opening);
  if (first.kind != kind::need_decision) {
    note_failure(*in, first.error);
    co_await part(std::move(on.carrier));
    co_return;
  }
  in->begin_request(opening.wanted());
  const std::string user = opening.wanted().user;
  if (!in->owner.admit_user(user)) {
    opening.refuse(refusal::overloaded);
    co_await answer(*in, on, opening);
    in->end_request(make_error_code(transport::errc::limit_exceeded));
    co_await part(std::move(on.carrier));
    co_return;
  }
  const std::shared_ptr<void> admitted(nullptr,
                                       [in, user](void*) { in->owner.release_user(user); });
  co_await serve_request(in, on, opening);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
