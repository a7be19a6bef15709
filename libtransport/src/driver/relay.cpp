// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/relay.hpp"

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <new>
#include <optional>
#include <span>

#include "driver/tcp_splice.hpp"
#include "strata/transport/buffer_list.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

/// So much in one go without waiting says that there is more to come than a pipe costs.
constexpr std::size_t bulk_size = std::size_t{256} * 1024;
/// Of one write, as a stream takes them.
constexpr std::size_t most_pieces = buffer_list<asio::const_buffer>::capacity;
/// Moves in a row before others get their turn.
constexpr unsigned burst = 8;

/// Both streams, for as long as one direction lives.
struct joined {
  joined(std::unique_ptr<stream> a, std::unique_ptr<stream> b, const relay_options& chosen)
      : one(std::move(a)),
        other(std::move(b)),
        ready(one->get_executor()),
        pages(chosen.pool.pages()),
        pipes(chosen.pool.pipes()),
        how(chosen),
        counters(chosen.counters ? chosen.counters : std::make_shared<relay_counters>()),
        timer(one->get_executor()) {}

  void reset(const std::error_code& why) {
    if (!ended) ended = why;
    one->reset(stream_cancelled);
    other->reset(stream_cancelled);
    timer.cancel();
    for (auto& each : stop_waiting) each.emit(asio::cancellation_type::terminal);
  }
  std::uint64_t moved() const { return counters->forth + counters->back; }

  std::unique_ptr<stream> one, other;
  ready_list ready;
  page_pool pages;
  std::shared_ptr<detail::pipe_stack> pipes;
  relay_options how;
  std::shared_ptr<relay_counters> counters;
  asio::steady_timer timer;
  /// Of what waits on descriptors that the streams know nothing of, one for each direction.
  std::array<asio::cancellation_signal, 2> stop_waiting;
  pending_operation<relay_signature> waiting;
  std::error_code ended;
  int directions = 2;
};

using joined_pointer = std::shared_ptr<joined>;

struct direction {
  joined& in;
  stream& from;
  stream& to;
  std::uint64_t& moved;
  asio::cancellation_signal& stop;
};

bool is_over(const std::error_code& error) { return error && error != errc::would_block; }

/// What stopped it: the reader takes no more, or is gone.
asio::awaitable<std::error_code> write_all(stream& to, bytes what) {
  while (!what.empty()) {
    const asio::const_buffer rest(what.data(), what.size());
    const auto at_once = to.try_write_some(rest);
    if (at_once) {
      what = what.subspan(*at_once);
      continue;
    }
    const auto [error, count] = co_await to.async_write_some(rest, quietly);
    if (error) co_return error;
    what = what.subspan(count);
  }
  co_return std::error_code();
}

/// One page at most; whatever the carrier cannot give at once, it gives when asked to wait.
asio::awaitable<std::pair<std::error_code, std::size_t>> read_some(stream& from,
                                                                   mutable_bytes into) {
  const asio::mutable_buffer room(into.data(), into.size());
  const auto at_once = from.try_read_some(room);
  if (at_once) co_return std::pair(std::error_code(), *at_once);
  if (is_over(at_once.error()) && at_once.error() != errc::not_supported)
    co_return std::pair(at_once.error(), std::size_t{0});
  if (at_once.error() == errc::would_block) co_return std::pair(at_once.error(), std::size_t{0});
  const auto [error, count] = co_await from.async_read_some(room, quietly);
  co_return std::pair(error, count);
}

enum class carried { all_there_was, much, end };

struct step {
  carried what = carried::all_there_was;
  std::error_code error{};
};

/// Hands on what the reading side lends, without a copy of ours, as long as the writing side takes
/// it at once; nothing when what is there has to be copied.
std::optional<step> lend_burst(direction& along) {
  std::array<bytes, most_pieces> pieces;
  std::array<asio::const_buffer, most_pieces> buffers;
  for (unsigned i = 0; i < burst; ++i) {
    const auto shown = along.from.try_peek(pieces);
    if (!shown && shown.error() == errc::not_supported) return std::nullopt;
    if (!shown && shown.error() == errc::would_block) return step{};
    if (!shown && shown.error() == errc::eof) return step{.what = carried::end};
    if (!shown) return step{.error = shown.error()};
    for (std::size_t k = 0; k < *shown; ++k)
      buffers[k] = asio::buffer(pieces[k].data(), pieces[k].size());
    const auto taken = along.to.try_write_some(std::span(buffers).first(*shown));
    if (!taken && taken.error() != errc::would_block && taken.error() != errc::not_supported)
      return step{.error = taken.error()};
    if (!taken) return std::nullopt;
    along.from.consume(*taken);
    along.moved += *taken;
  }
  return step{};
}

/// What is there now, by way of a page.
asio::awaitable<step> copy_burst(direction& along) {
  if (const auto lent = lend_burst(along)) co_return *lent;
  const page memory = along.in.pages.borrow();
  std::size_t together = 0;
  for (unsigned i = 0; i < burst; ++i) {
    const auto [error, size] = co_await read_some(along.from, memory.span());
    if (error == errc::would_block) break;
    if (error == errc::eof) co_return step{.what = carried::end};
    if (error) co_return step{.error = error};
    const bytes what = memory.span().first(size);
    const std::error_code failed = co_await write_all(along.to, what);
    if (failed) co_return step{.error = failed};
    along.moved += size;
    together += size;
    if (size < memory.span().size()) break;
  }
  co_return step{.what = together >= bulk_size ? carried::much : carried::all_there_was};
}

asio::awaitable<std::error_code> empty_pipe(direction& along, detail::splice_pipe& pipe,
                                            const native_socket& to) {
  while (pipe.held() != 0) {
    const auto out = pipe.drain(to);
    along.moved += out.count;
    if (out.error) co_return out.error;
    if (!out.would_wait) continue;
    const auto executor = along.to.get_executor();
    const std::error_code failed =
        co_await detail::async_wait_writable(to, executor, along.stop.slot());
    if (failed) co_return failed;
    // It was reset meanwhile, perhaps: then its descriptor is somebody else's.
    if (!along.to.native()) co_return make_error_code(errc::closed);
  }
  co_return std::error_code();
}

/// The same within the kernel.
asio::awaitable<step> splice_burst(direction& along) {
  const native_socket from = along.from.native();
  const native_socket to = along.to.native();
  if (!from || !to) co_return co_await copy_burst(along);
  auto pipe = along.in.pipes->borrow();
  if (!pipe) co_return co_await copy_burst(along);
  step done;
  for (unsigned i = 0; i < burst; ++i) {
    if (!along.from.native()) break;
    const auto in = pipe->fill(from);
    if (in.would_wait) break;
    // The stream has not seen it: its own read tells what it was.
    if (in.error || in.count == 0) {
      along.in.pipes->give_back(std::move(pipe));
      co_return co_await copy_burst(along);
    }
    done.error = co_await empty_pipe(along, *pipe, to);
    if (done.error) break;
  }
  along.in.pipes->give_back(std::move(pipe));
  done.what = carried::much;
  co_return done;
}

/// One direction, until its end; an error unless that was in order.
asio::awaitable<std::error_code> carry(direction& along) {
  // A stream may have bytes of its own before its socket's: native() says when it has no more.
  const bool can_splice = along.in.how.splice && along.in.pipes;
  step last;
  for (;;) {
    const auto [waited] = co_await along.from.async_wait_readable(quietly);
    if (waited) co_return waited;
    const bool splices = can_splice && last.what == carried::much;
    if (splices) {
      last = co_await splice_burst(along);
    } else {
      last = co_await copy_burst(along);
    }
    if (last.error == errc::write_stopped) co_return std::error_code();
    if (last.error) co_return last.error;
    if (last.what == carried::end) break;
  }
  const auto [finished] = co_await along.to.async_finish(quietly);
  co_return finished;
}

/// Ends a connection of which nobody has heard for a while.
void watch(const joined_pointer& in) {
  const bool half = in->directions == 1;
  const duration limit =
      half && in->how.half_closed != duration::zero() ? in->how.half_closed : in->how.idle;
  if (limit == duration::zero()) return;
  in->timer.expires_after(limit);
  in->timer.async_wait([weak = std::weak_ptr(in), seen = in->moved()](std::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->directions == 0) return;
    self->moved() == seen ? self->reset(make_error_code(errc::timed_out)) : watch(self);
  });
}

asio::awaitable<void> run(joined_pointer in, bool forth) {
  stream& from = forth ? *in->one : *in->other;
  stream& to = forth ? *in->other : *in->one;
  std::uint64_t& moved = forth ? in->counters->forth : in->counters->back;
  direction along{*in, from, to, moved, in->stop_waiting[forth ? 0 : 1]};
  std::error_code failed;
  try {
    failed = co_await carry(along);
  } catch (const std::bad_alloc&) {
    failed = errc::out_of_memory;
  }
  --in->directions;
  if (failed) in->reset(failed);
  if (in->directions != 0) {
    if (!failed) watch(in);
    co_return;
  }
  in->timer.cancel();
  // Those who are told may want the descriptors back.
  const auto one = std::move(in->one);
  const auto other = std::move(in->other);
  if (in->waiting) in->ready.complete(in->waiting.take(), in->ended, *in->counters);
}

}  // namespace

relay_pool::relay_pool(std::size_t page_size, std::size_t kept_pages, std::size_t kept_pipes)
    : pages_(page_size, kept_pages), pipes_(std::make_shared<detail::pipe_stack>(kept_pipes)) {}

namespace detail {

void start_relay(std::unique_ptr<stream> one, std::unique_ptr<stream> other,
                 const relay_options& options, completion<relay_signature> waiting) {
  const auto executor = one->get_executor();
  if (!executor) return;
  const auto in = std::make_shared<joined>(std::move(one), std::move(other), options);
  in->waiting.start(std::move(waiting), [weak = std::weak_ptr(in)] {
    if (const auto self = weak.lock()) self->reset(make_error_code(errc::aborted));
  });
  watch(in);
  asio::co_spawn(executor, run(in, true), asio::detached);
  asio::co_spawn(executor, run(in, false), asio::detached);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
