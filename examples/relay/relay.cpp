// SPDX-License-Identifier: Apache-2.0
#include "relay/relay.hpp"

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cstdint>
#include <utility>

#include "strata/transport/buffer_list.hpp"
#include "strata/transport/core/error.hpp"

namespace relay {
namespace {

using namespace strata;
using transport::errc;

/// Of one write, as asio hands them over.
constexpr std::size_t most_pieces = transport::buffer_list<asio::const_buffer>::capacity;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

/// Both streams, for as long as one direction lives.
struct joined {
  joined(std::unique_ptr<transport::stream> a, std::unique_ptr<transport::stream> b,
         transport::page_pool from, const options& chosen)
      : one(std::move(a)),
        other(std::move(b)),
        pages(std::move(from)),
        how(chosen),
        timer(one->get_executor()) {}

  void reset() {
    one->reset(transport::stream_cancelled);
    other->reset(transport::stream_cancelled);
    timer.cancel();
  }

  std::unique_ptr<transport::stream> one, other;
  transport::page_pool pages;
  options how;
  asio::steady_timer timer;
  std::uint64_t moved = 0;
  int directions = 2;
};

using joined_pointer = std::shared_ptr<joined>;

/// What stopped it: the reader takes no more, or is gone.
asio::awaitable<std::error_code> write_all(transport::stream& to, const std::byte* at,
                                           std::size_t size) {
  while (size != 0) {
    const asio::const_buffer rest(at, size);
    const auto [error, count] = co_await to.async_write_some(rest, quietly);
    if (error) co_return error;
    at += count;
    size -= count;
  }
  co_return std::error_code();
}

enum class lending : std::uint8_t {
  wait,  ///< All that was there is on its way.
  copy,  ///< What is there has to wait for the reader, or cannot be lent.
  end,   ///< The end comes next.
  stop,  ///< `error` says why; none when only the reader takes no more.
};

struct lending_outcome {
  lending what;
  std::error_code error;
};

/// Hands on what `from` lends, without a copy of ours, as long as `to` takes it at once.
lending_outcome hand_on(joined& in, transport::stream& from, transport::stream& to) {
  std::array<transport::bytes, most_pieces> pieces;
  std::array<asio::const_buffer, most_pieces> buffers;
  for (;;) {
    const auto shown = from.try_peek(pieces);
    if (!shown && shown.error() == errc::would_block) return {lending::wait, {}};
    if (!shown && shown.error() == errc::not_supported) return {lending::copy, {}};
    if (!shown && shown.error() == errc::eof) return {lending::end, {}};
    if (!shown) return {lending::stop, shown.error()};
    for (std::size_t i = 0; i < *shown; ++i)
      buffers[i] = asio::buffer(pieces[i].data(), pieces[i].size());
    const auto taken = to.try_write_some(std::span(buffers).first(*shown));
    if (taken) {
      from.consume(*taken);
      in.moved += *taken;
      continue;
    }
    if (taken.error() == errc::would_block || taken.error() == errc::not_supported)
      return {lending::copy, {}};
    if (taken.error() == errc::write_stopped) return {lending::stop, {}};
    return {lending::stop, taken.error()};
  }
}

/// One direction, until its end; an error unless that was in order.
asio::awaitable<std::error_code> carry(joined& in, transport::stream& from, transport::stream& to) {
  bool expects_more = false;
  for (;;) {
    if (!expects_more) {
      const auto [waited] = co_await from.async_wait_readable(quietly);
      if (waited) co_return waited;
    }
    const lending_outcome lent = hand_on(in, from, to);
    if (lent.what == lending::stop) co_return lent.error;
    if (lent.what == lending::end) break;
    expects_more = false;
    if (lent.what == lending::wait) continue;
    const transport::page page = in.pages.borrow();
    const auto room = asio::buffer(page.span().data(), page.span().size());
    const auto [error, size] = co_await from.async_read_some(room, quietly);
    if (error == errc::eof) break;
    if (error) co_return error;
    in.moved += size;
    // A page that was filled was not all there is: the wait would cost more than it saves.
    expects_more = size == room.size();
    const auto failed = co_await write_all(to, page.span().data(), size);
    if (failed == errc::write_stopped) co_return std::error_code();
    if (failed) co_return failed;
  }
  const auto [finished] = co_await to.async_finish(quietly);
  co_return finished;
}

/// Ends what is left of a connection of which nobody has heard for a while.
void watch(const joined_pointer& in) {
  in->timer.expires_after(in->how.half_closed);
  in->timer.async_wait([weak = std::weak_ptr(in), seen = in->moved](std::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->directions == 0) return;
    self->moved == seen ? self->reset() : watch(self);
  });
}

asio::awaitable<void> run(joined_pointer in, bool forth) {
  transport::stream& from = forth ? *in->one : *in->other;
  transport::stream& to = forth ? *in->other : *in->one;
  const std::error_code failed = co_await carry(*in, from, to);
  --in->directions;
  if (failed) {
    in->reset();
  } else if (in->directions != 0) {
    if (in->how.half_closed != for_ever) watch(in);
  } else {
    in->timer.cancel();
  }
}

}  // namespace

void join(std::unique_ptr<transport::stream> one, std::unique_ptr<transport::stream> other,
          transport::page_pool pages, const options& how) {
  const auto executor = one->get_executor();
  const auto in = std::make_shared<joined>(std::move(one), std::move(other), std::move(pages), how);
  asio::co_spawn(executor, run(in, true), asio::detached);
  asio::co_spawn(executor, run(in, false), asio::detached);
}

}  // namespace relay
