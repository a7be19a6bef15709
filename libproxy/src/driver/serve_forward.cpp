// SPDX-License-Identifier: Apache-2.0
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <utility>
#include <vector>

#include "driver/session.hpp"
#include "strata/proxy/core/http_forwarder.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::chrono::milliseconds drain_time{500};

/// One client of plain HTTP, the origin it talks to, and the four pumps between them, which wait
/// for each other by `changed`.
struct forwarding {
  forwarding(std::shared_ptr<session> of, core::http_forwarder core, opened& on)
      : in(std::move(of)),
        forwarder(std::move(core)),
        client(std::move(on.carrier)),
        unread(std::move(on.unread)),
        changed(client->get_executor(), asio::steady_timer::time_point::max()),
        deadline(client->get_executor()) {}

  void kick() { changed.cancel(); }
  /// All was answered: what the client has not taken yet still arrives, which a reset would drop.
  void part() {
    const auto parting = std::move(client);
    stop();
  }
  /// Everything is over.
  void stop() {
    if (std::exchange(stopped, true)) return;
    if (client) client->reset(transport::stream_cancelled);
    if (origin) origin->reset(transport::stream_cancelled);
    deadline.cancel();
    kick();
  }

  std::shared_ptr<session> in;
  core::http_forwarder forwarder;
  std::shared_ptr<transport::stream> client;
  std::vector<std::byte> unread;
  std::shared_ptr<transport::stream> origin;
  core::request of_origin;  ///< Whom it was dialled for.
  asio::steady_timer changed;
  asio::steady_timer deadline;  ///< Of waiting for another request, and for its head.
  std::uint64_t counted = 1;    ///< Requests whose report was begun, the first by the session.
  bool is_reading_head = false;
  bool client_ended = false;
  bool origin_ended = true;
  bool stopped = false;
};
using forwarding_pointer = std::shared_ptr<forwarding>;

asio::awaitable<void> until_changed(forwarding_pointer in) {
  co_await in->changed.async_wait(quietly);
}

/// A connection on which nothing happens is not kept for ever.
void watch(const forwarding_pointer& in) {
  in->deadline.expires_after(core::limits::keep_alive_timeout);
  in->deadline.async_wait([weak = std::weak_ptr(in)](std::error_code error) {
    const auto self = weak.lock();
    if (!error && self && self->forwarder.is_idle()) self->stop();
  });
}

/// A later head has as long as the first one had: it may come byte by byte, too.
void note_head(const forwarding_pointer& in) {
  const bool is_reading = in->forwarder.is_reading_head();
  if (std::exchange(in->is_reading_head, is_reading) == is_reading || !is_reading) return;
  in->deadline.expires_after(in->in->options().opening_timeout);
  in->deadline.async_wait([weak = std::weak_ptr(in)](std::error_code error) {
    const auto self = weak.lock();
    if (!error && self && self->forwarder.is_reading_head()) self->stop();
  });
}

asio::awaitable<void> read_client(forwarding_pointer in) {
  std::vector<std::byte> memory(16 * 1024);
  while (!in->stopped && !in->client_ended) {
    if (!in->forwarder.wants_client()) {
      co_await until_changed(in);
      continue;
    }
    if (!in->unread.empty()) {
      const std::size_t taken = in->forwarder.receive_client(in->unread);
      in->unread.erase(in->unread.begin(), in->unread.begin() + static_cast<std::ptrdiff_t>(taken));
      note_head(in);
      in->kick();
      if (taken != 0 || !in->forwarder.wants_client()) continue;
    }
    const auto room = asio::buffer(memory);
    const auto [error, size] = co_await in->client->async_read_some(room, quietly);
    if (in->stopped) break;
    if (error) {
      in->client_ended = true;
      error == transport::errc::eof ? in->forwarder.end_client() : in->stop();
      break;
    }
    in->unread.insert(in->unread.end(), memory.begin(),
                      memory.begin() + static_cast<std::ptrdiff_t>(size));
    in->in->counters->forth += size;
  }
  in->kick();
}

asio::awaitable<void> write_client(forwarding_pointer in) {
  while (!in->stopped) {
    const transport::bytes out = in->forwarder.to_client();
    if (out.empty()) {
      if (in->forwarder.finished() || in->forwarder.broken()) break;
      co_await until_changed(in);
      continue;
    }
    if (in->forwarder.rejects_credentials()) {
      asio::steady_timer timer(in->client->get_executor(), in->in->options().refusal_delay);
      co_await timer.async_wait(quietly);
    }
    // The forwarder's memory may move while the write waits.
    const std::vector<std::byte> copy(out.begin(), out.end());
    const auto all = asio::buffer(copy);
    const auto [error, size] = co_await in->client->async_write_some(all, quietly);
    if (error) {
      in->stop();
      co_return;
    }
    in->in->counters->back += size;
    in->forwarder.sent_to_client(size);
    in->kick();
  }
  in->kick();
}

asio::awaitable<void> read_origin(forwarding_pointer in, std::shared_ptr<transport::stream> from) {
  std::vector<std::byte> memory(16 * 1024);
  std::size_t begin = 0, end = 0;
  while (!in->stopped && in->origin == from) {
    if (!in->forwarder.wants_origin()) {
      // An origin that ends while nothing is asked of it must be noticed before the next request.
      if (!in->forwarder.is_idle() || begin != end) {
        co_await until_changed(in);
        continue;
      }
    }
    if (begin != end) {
      begin += in->forwarder.receive_origin(transport::bytes(memory).subspan(begin, end - begin));
      in->kick();
      if (begin != end) co_await until_changed(in);
      continue;
    }
    const auto room = asio::buffer(memory);
    const auto [error, size] = co_await from->async_read_some(room, quietly);
    if (in->origin != from || in->stopped) break;
    if (error) {
      in->origin_ended = true;
      in->forwarder.end_origin(error == transport::errc::eof);
      break;
    }
    begin = 0;
    end = size;
  }
  in->kick();
}

asio::awaitable<void> write_origin(forwarding_pointer in, std::shared_ptr<transport::stream> to) {
  while (!in->stopped && in->origin == to && !in->origin_ended) {
    const transport::bytes out = in->forwarder.to_origin();
    if (out.empty()) {
      co_await until_changed(in);
      continue;
    }
    const std::vector<std::byte> copy(out.begin(), out.end());
    const auto all = asio::buffer(copy);
    const auto [error, size] = co_await to->async_write_some(all, quietly);
    if (in->origin != to || in->stopped) co_return;
    // What it has answered may still be read: the reader ends it.
    if (error) co_return;
    in->forwarder.sent_to_origin(size);
    in->kick();
  }
}

bool is_same(const core::request& a, const core::request& b) {
  return a.where == b.where && a.user == b.user;
}

asio::awaitable<void> connect_origin(forwarding_pointer in, core::request wanted) {
  if (in->origin && !in->origin_ended && in->forwarder.origin_reusable() &&
      is_same(wanted, in->of_origin)) {
    in->forwarder.connected();
    in->kick();
    co_return;
  }
  if (in->origin) in->origin->reset(transport::stream_cancelled);
  in->origin.reset();
  const chosen way = co_await choose_outbound(*in->in, wanted.where, core::carried::stream);
  std::error_code error = way.error;
  if (!error) {
    auto made = co_await dial(*in->in, way.by, wanted.where);
    error = made.first;
    in->origin = std::move(made.second);
  }
  if (in->stopped) co_return;
  if (error) {
    in->forwarder.refuse(refusal_of(error));
    in->in->end_request(error);
    in->kick();
    co_return;
  }
  in->of_origin = wanted;
  in->origin_ended = false;
  in->forwarder.connected();
  const auto executor = in->client->get_executor();
  asio::co_spawn(executor, read_origin(in, in->origin), asio::detached);
  asio::co_spawn(executor, write_origin(in, in->origin), asio::detached);
  in->kick();
}

/// Requests one after the other, each counted by itself.
asio::awaitable<void> serve_requests(forwarding_pointer in) {
  while (!in->stopped && !in->forwarder.finished() && !in->forwarder.broken()) {
    const core::request* const wanted = in->forwarder.wanted();
    if (wanted != nullptr) {
      const core::request next = *wanted;
      // Another one may be there at once, before anything was idle.
      if (std::exchange(in->counted, in->forwarder.request_count()) != in->counted) {
        in->in->end_request({});
        in->in->begin_request(next);
      }
      co_await connect_origin(in, next);
      continue;
    }
    if (in->forwarder.is_idle() && in->in->has_request) {
      in->in->end_request({});
      watch(in);
    }
    co_await until_changed(in);
  }
}

}  // namespace

asio::awaitable<void> serve_forward(std::shared_ptr<session> in, opened& on,
                                    core::inbound_opening& opening) {
  const core::request first = opening.wanted();
  core::http_forwarder_config config{.users = in->options().inbound.users,
                                     .head = in->options().inbound.head};
  core::http_forwarder forwarder(config, *opening.head(), first.user);
  opening.accept();
  co_await run_opening(on, opening);
  const auto made = std::make_shared<forwarding>(in, std::move(forwarder), on);
  const auto executor = made->client->get_executor();
  // Whatever ends this, and be it a cancellation, ends the pumps.
  const std::shared_ptr<void> stopping(nullptr, [made](void*) { made->stop(); });
  asio::co_spawn(executor, read_client(made), asio::detached);
  asio::co_spawn(executor, write_client(made), asio::detached);
  co_await serve_requests(made);
  const bool whole = made->forwarder.finished() && !made->forwarder.broken();
  if (!whole || made->stopped) {
    in->end_request(make_error_code(transport::errc::truncated));
    co_return;
  }
  in->end_request({});
  const auto [finished] = co_await made->client->async_finish(quietly);
  // The reader takes what the client still sends, for a moment: it would be answered by a reset.
  asio::steady_timer timer(executor, drain_time);
  timer.async_wait([made](std::error_code) { made->kick(); });
  while (!finished && !made->client_ended && timer.expiry() > std::chrono::steady_clock::now())
    co_await until_changed(made);
  made->part();
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
