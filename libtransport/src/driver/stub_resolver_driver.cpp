// SPDX-License-Identifier: Apache-2.0
#include "driver/stub_resolver_driver.hpp"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <chrono>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {
namespace {

time_point now() { return std::chrono::steady_clock::now(); }

}  // namespace

stub_resolver_driver::stub_resolver_driver(const ready_list& ready, std::vector<dns_path> paths,
                                           const stub_resolver_options& options)
    : ready_(ready), paths_(std::move(paths)), cache_(options.cache) {
  if (paths_.size() > limits::max_dns_servers) paths_.resize(limits::max_dns_servers);
  for (const dns_path& each : paths_) {
    const bool is_datagram = each.datagrams.ip_family() != address::family::none;
    kinds_.push_back({.is_datagram = is_datagram,
                      .has_stream = is_datagram,
                      .is_encrypted = !is_datagram && each.exchange->is_encrypted()});
  }
  options_.inquiries = {.paths = kinds_,
                        .attempt_timeout = options.attempt_timeout,
                        .rounds = std::min(options.rounds, limits::max_dns_rounds),
                        .shuffles_case = options.shuffle_case};
  options_.cache = &cache_;
}

std::shared_ptr<stub_resolver_driver> stub_resolver_driver::self() {
  return std::static_pointer_cast<stub_resolver_driver>(shared_from_this());
}

void stub_resolver_driver::resolve(const std::string& host, const resolve_options& wanted,
                                   completion<resolve_signature> waiting) {
  if (dead_) return;
  if (line_.size() >= limits::max_dns_lookups_in_line) {
    return ready_.complete(std::move(waiting), make_error_code(errc::limit_exceeded),
                           std::unique_ptr<resolution>());
  }
  const auto made = std::make_shared<job>();
  made->host = host;
  made->wanted = wanted;
  made->waiting.start(std::move(waiting), [weak = weak_from_this(), one = std::weak_ptr(made)] {
    const auto self = std::static_pointer_cast<stub_resolver_driver>(weak.lock());
    const auto held = one.lock();
    if (self && held) self->abort(held);
  });
  line_.push_back(made);
  serve();
}

void stub_resolver_driver::serve() {
  // What ends as soon as it starts comes here again.
  if (std::exchange(is_serving_, true)) return;
  while (!dead_ && !line_.empty() && running_.size() < limits::max_dns_lookups) {
    const job_pointer next = line_.front();
    line_.pop_front();
    start(next);
  }
  is_serving_ = false;
}

void stub_resolver_driver::start(const job_pointer& next) {
  if (const auto literal = address::parse_ip(next->host, 0)) {
    auto found = std::make_unique<resolution>();
    found->addresses = {*literal};
    return end(next, {}, std::move(found));
  }
  auto made = dns::lookup::make(next->host, next->wanted, options_, random_);
  if (!made) return end(next, make_error_code(errc::name_not_found), nullptr);
  next->core = std::move(*made);
  next->timer.emplace(ready_.executor());
  running_.push_back(next);
  next->core->start(now());
  turn(next);
}

/// After everything that the core was told.
void stub_resolver_driver::turn(const job_pointer& of) {
  dns::lookup& core = *of->core;
  for (dns::lookup::query query; core.poll_query(now(), query);) send(of, query);
  if (core.is_done()) return finish(of);
  const auto closed = std::ranges::partition(
      of->flights, [&core](const auto& each) { return core.is_open(each->id); });
  const std::vector<std::shared_ptr<flight>> given_up(closed.begin(), closed.end());
  of->flights.erase(closed.begin(), closed.end());
  for (const auto& each : given_up) {
    each->socket.reset();
    each->stop.emit(asio::cancellation_type::terminal);
  }
  arm(of);
}

void stub_resolver_driver::arm(const job_pointer& of) {
  const auto next = of->core->next_timeout();
  if (!next) return;
  of->timer->expires_at(*next);
  of->timer->async_wait([self = self(), of](std::error_code error) {
    if (error || self->dead_ || !of->waiting) return;
    of->core->handle_timeout(now());
    self->turn(of);
  });
}

void stub_resolver_driver::send(const job_pointer& of, const dns::lookup::query& query) {
  const auto made = std::make_shared<flight>();
  made->id = query.id;
  of->flights.push_back(made);
  const dns_path& path = paths_[query.route.path];
  const bool by_datagram =
      path.datagrams.ip_family() != address::family::none && !query.route.by_stream;
  if (by_datagram)
    send_datagram(of, made, path.datagrams, query.message);
  else
    send_exchange(of, made, *path.exchange, query.message);
}

/// From a port by chance, that only this server can answer to (RFC 5452 section 9).
void stub_resolver_driver::send_datagram(const job_pointer& of, const std::shared_ptr<flight>& made,
                                         const address& server, bytes message) {
  udp_options options;
  options.receive_buffer = 0;
  options.send_buffer = 0;
  options.dont_fragment = false;
  options.offload = false;
  options.peer = server;
  auto socket = udp_socket::open(ready_.executor(),
                                 server.is_v4() ? address::any_v4(0) : address::any_v6(0), options);
  if (!socket) return of->core->failed(now(), made->id, socket.error());
  made->socket.emplace(std::move(*socket));
  const auto size = static_cast<std::uint32_t>(message.size());
  const auto sent = made->socket->send({.size = size, .remote = server}, message);
  if (!sent && sent.error() != errc::would_block)
    return of->core->failed(now(), made->id, sent.error());
  receive(of, made);
}

void stub_resolver_driver::receive(const job_pointer& of, const std::shared_ptr<flight>& from) {
  from->socket->async_receive(
      from->batches, [self = self(), of, from](std::error_code error, std::size_t batches) {
        if (self->dead_ || !of->waiting || !from->socket) return;
        if (error)
          of->core->failed(now(), from->id, error);
        else
          feed(*of->core, *from, batches);
        const bool goes_on = !error && of->core->is_open(from->id);
        if (goes_on) self->receive(of, from);
        self->turn(of);
      });
}

void stub_resolver_driver::feed(dns::lookup& core, const flight& from, std::size_t batches) {
  for (const datagram_batch& each : std::span(from.batches).first(batches)) {
    for (bytes rest = each.payload; !rest.empty();) {
      const bytes datagram = rest.first(std::min<std::size_t>(each.stride, rest.size()));
      core.receive(now(), from.id, datagram);
      rest = rest.subspan(datagram.size());
    }
  }
}

void stub_resolver_driver::send_exchange(const job_pointer& of, const std::shared_ptr<flight>& made,
                                         dns_exchange& over, bytes message) {
  over.async_exchange(
      std::vector<std::byte>(message.begin(), message.end()),
      asio::bind_cancellation_slot(
          made->stop.slot(), [self = self(), of, id = made->id](std::error_code error,
                                                                std::unique_ptr<dns_reply> reply) {
            if (self->dead_ || !of->waiting) return;
            if (error)
              of->core->failed(now(), id, error);
            else
              of->core->receive(now(), id, reply->message, reply->age);
            self->turn(of);
          }));
}

void stub_resolver_driver::finish(const job_pointer& of) {
  if (of->core->error()) return end(of, of->core->error(), nullptr);
  end(of, {}, std::make_unique<resolution>(of->core->found()));
}

void stub_resolver_driver::end(const job_pointer& of, std::error_code error,
                               std::unique_ptr<resolution> found) {
  if (of->waiting) ready_.complete(of->waiting.take(), error, std::move(found));
  std::erase(running_, of);
  of->timer.reset();
  for (const auto flights = std::exchange(of->flights, {}); const auto& each : flights) {
    each->socket.reset();
    each->stop.emit(asio::cancellation_type::terminal);
  }
  serve();
}

void stub_resolver_driver::abort(const job_pointer& which) noexcept {
  std::erase(line_, which);
  end(which, make_error_code(errc::aborted), nullptr);
}

void stub_resolver_driver::abort_all() noexcept {
  const auto line = std::exchange(line_, {});
  for (const job_pointer& each : line) end(each, make_error_code(errc::aborted), nullptr);
  const auto running = running_;
  for (const job_pointer& each : running) end(each, make_error_code(errc::aborted), nullptr);
}

void stub_resolver_driver::shutdown() noexcept {
  dead_ = true;
  const auto line = std::exchange(line_, {});
  const auto running = std::exchange(running_, {});
  for (const job_pointer& each : line) each->waiting.take();
  for (const job_pointer& each : running) {
    each->waiting.take();
    each->timer.reset();
    for (const auto& carrying : each->flights) carrying->socket.reset();
    each->flights.clear();
  }
  const auto paths = std::exchange(paths_, {});
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
