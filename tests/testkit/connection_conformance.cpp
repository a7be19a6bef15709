// SPDX-License-Identifier: Apache-2.0
#include "testkit/connection_conformance.hpp"

#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string_view>
#include <tuple>
#include <vector>

#include "strata/transport/core/error.hpp"

namespace strata::testkit {
namespace {

using namespace std::chrono_literals;
using transport::errc;
using origin = transport::close_reason::origin_kind;
using stream_pointer = std::unique_ptr<transport::stream>;

template <class Value>
struct outcome {
  int ran = 0;
  std::error_code error;
  Value value{};
  auto handler() {
    return [this](std::error_code failed, Value result) {
      ++ran;
      error = failed;
      value = std::move(result);
    };
  }
};

struct plain_outcome {
  int ran = 0;
  std::error_code error;
  auto handler() {
    return [this](std::error_code failed) {
      ++ran;
      error = failed;
    };
  }
};

using stream_outcome = outcome<stream_pointer>;
using reason_outcome = outcome<std::unique_ptr<transport::close_reason>>;
using size_outcome = outcome<std::size_t>;

class exercise {
 public:
  exercise(connection_maker& maker) : row(maker.row()), context_(maker.context()) {
    auto ends = maker.connect();
    near = std::move(ends.near);
    far = std::move(ends.far);
  }

  template <class Done>
  void until(Done done) {
    const auto last = std::chrono::steady_clock::now() + 10s;
    context_.restart();
    while (!done() && std::chrono::steady_clock::now() < last) {
      if (context_.stopped()) context_.restart();
      context_.run_one_for(10ms);
    }
    REQUIRE(done());
  }
  /// Everything that was set in motion has happened.
  void settle() {
    do {
      context_.restart();
    } while (context_.run_one_for(5ms) > 0);
  }

  /// Opened at one end, accepted at the other.
  std::pair<stream_pointer, stream_pointer> join(transport::connection& from,
                                                 transport::connection& to) {
    stream_outcome opened, accepted;
    from.async_open_stream(opened.handler());
    to.async_accept_stream(accepted.handler());
    until([&] { return opened.ran == 1; });
    REQUIRE_FALSE(opened.error);
    say(*opened.value, "x");
    until([&] { return accepted.ran == 1; });
    REQUIRE_FALSE(accepted.error);
    CHECK(hear(*accepted.value, 1) == "x");
    return {std::move(opened.value), std::move(accepted.value)};
  }
  void say(transport::stream& to, std::string_view text) {
    size_outcome wrote;
    asio::async_write(to, asio::buffer(text), wrote.handler());
    until([&] { return wrote.ran == 1; });
    REQUIRE_FALSE(wrote.error);
  }
  std::string hear(transport::stream& from, std::size_t size) {
    std::string text(size, ' ');
    size_outcome got;
    asio::async_read(from, asio::buffer(text), got.handler());
    until([&] { return got.ran == 1; });
    REQUIRE_FALSE(got.error);
    return text;
  }

  connection_row row;
  std::unique_ptr<transport::connection> near, far;

 private:
  asio::io_context& context_;
};

void open_while_open(exercise& on) {
  const auto there = on.join(*on.near, *on.far);
  const auto back = on.join(*on.far, *on.near);
  on.say(*there.first, "ping");
  CHECK(on.hear(*there.second, 4) == "ping");
  on.say(*back.second, "pong");
  CHECK(on.hear(*back.first, 4) == "pong");
  CHECK_FALSE(on.near->closed());
  CHECK_FALSE(on.far->closed());
}

void accept_in_order(exercise& on) {
  std::vector<stream_pointer> opened;
  for (const std::string_view text : {"1", "2", "3"}) {
    stream_outcome one;
    on.near->async_open_stream(one.handler());
    on.until([&] { return one.ran == 1; });
    on.say(*one.value, text);
    opened.push_back(std::move(one.value));
  }
  for (const std::string_view text : {"1", "2", "3"}) {
    stream_outcome one;
    on.far->async_accept_stream(one.handler());
    on.until([&] { return one.ran == 1; });
    CHECK(on.hear(*one.value, 1) == text);
  }
}

void accept_cancelled(exercise& on) {
  stream_outcome cancelled;
  asio::cancellation_signal stop;
  on.far->async_accept_stream(asio::bind_cancellation_slot(stop.slot(), cancelled.handler()));
  on.settle();
  CHECK(cancelled.ran == 0);
  stop.emit(asio::cancellation_type::terminal);
  CHECK(cancelled.ran == 0);
  on.until([&] { return cancelled.ran == 1; });
  CHECK(cancelled.error == errc::aborted);
  CHECK(cancelled.value == nullptr);
  const auto still = on.join(*on.near, *on.far);
}

void wait_closed_cancelled(exercise& on) {
  reason_outcome cancelled;
  asio::cancellation_signal stop;
  on.near->async_wait_closed(asio::bind_cancellation_slot(stop.slot(), cancelled.handler()));
  on.settle();
  stop.emit(asio::cancellation_type::terminal);
  on.until([&] { return cancelled.ran == 1; });
  CHECK(cancelled.error == errc::aborted);
  CHECK(cancelled.value != nullptr);
  CHECK_FALSE(on.near->closed());
}

void confirmed_while_open(exercise& on) {
  plain_outcome confirmed;
  on.near->async_confirmed(confirmed.handler());
  CHECK(confirmed.ran == 0);
  on.until([&] { return confirmed.ran == 1; });
  CHECK_FALSE(confirmed.error);
}

void close_ends_everything(exercise& on) {
  const auto streams = on.join(*on.near, *on.far);
  std::array<char, 8> memory;
  size_outcome near_read, far_read;
  stream_outcome near_accept, far_accept;
  reason_outcome near_closed, far_closed;
  streams.first->async_read_some(asio::buffer(memory), near_read.handler());
  streams.second->async_read_some(asio::buffer(memory), far_read.handler());
  on.near->async_accept_stream(near_accept.handler());
  on.far->async_accept_stream(far_accept.handler());
  on.near->async_wait_closed(near_closed.handler());
  on.far->async_wait_closed(far_closed.handler());
  on.settle();
  const std::uint64_t code = on.row.carries_codes ? 2 : 0;
  on.near->close(code, "enough");
  CHECK(near_read.ran + near_accept.ran + near_closed.ran == 0);
  on.until([&] {
    return near_read.ran == 1 && far_read.ran == 1 && near_accept.ran == 1 && far_accept.ran == 1 &&
           near_closed.ran == 1 && far_closed.ran == 1;
  });
  CHECK(near_read.error == errc::closed);
  CHECK(near_accept.error == errc::closed);
  CHECK(far_read.error == errc::closed_by_peer);
  CHECK(far_accept.error == errc::closed_by_peer);
  CHECK_FALSE(near_closed.error);
  CHECK(near_closed.value->origin == origin::local_application);
  CHECK(far_closed.value->origin == origin::peer_application);
  CHECK(far_closed.value->code == code);
  if (on.row.carries_reasons) CHECK(far_closed.value->reason == "enough");
}

void operations_when_closed(exercise& on) {
  on.near->close(0);
  on.settle();
  for (const bool here : {true, false}) {
    CAPTURE(here);
    transport::connection& which = here ? *on.near : *on.far;
    const std::error_code why = here ? errc::closed : errc::closed_by_peer;
    stream_outcome opened, accepted;
    reason_outcome closed;
    plain_outcome down;
    which.async_open_stream(opened.handler());
    which.async_accept_stream(accepted.handler());
    which.async_wait_closed(closed.handler());
    which.async_shutdown(1s, 0, down.handler());
    CHECK(opened.ran + accepted.ran + closed.ran + down.ran == 0);
    on.until(
        [&] { return opened.ran == 1 && accepted.ran == 1 && closed.ran == 1 && down.ran == 1; });
    CHECK(opened.error == why);
    CHECK(opened.value == nullptr);
    CHECK(accepted.error == why);
    CHECK_FALSE(closed.error);
    CHECK(closed.value->cause == why);
    CHECK_FALSE(down.error);
    CHECK(which.closed());
    which.close(1);
    CHECK(which.closed()->code == closed.value->code);
  }
}

void late_accept(exercise& on) {
  stream_outcome opened, accepted, nothing;
  on.near->async_open_stream(opened.handler());
  on.until([&] { return opened.ran == 1; });
  on.say(*opened.value, "late");
  on.settle();
  on.near->close(0);
  on.settle();
  on.far->async_accept_stream(accepted.handler());
  on.until([&] { return accepted.ran == 1; });
  REQUIRE_FALSE(accepted.error);
  CHECK(on.hear(*accepted.value, 4) == "late");
  on.far->async_accept_stream(nothing.handler());
  on.until([&] { return nothing.ran == 1; });
  CHECK(nothing.error == errc::closed_by_peer);
}

void shutdown_waits(exercise& on) {
  auto streams = on.join(*on.near, *on.far);
  plain_outcome down, finished_here, finished_there;
  on.near->async_shutdown(10s, 0, down.handler());
  on.settle();
  CHECK(down.ran == 0);
  on.say(*streams.first, "the last words");
  CHECK(on.hear(*streams.second, 14) == "the last words");
  streams.first->async_finish(finished_here.handler());
  streams.second->async_finish(finished_there.handler());
  std::array<char, 1> memory;
  size_outcome here, there;
  streams.first->async_read_some(asio::buffer(memory), here.handler());
  streams.second->async_read_some(asio::buffer(memory), there.handler());
  on.until([&] { return here.ran == 1 && there.ran == 1; });
  CHECK(here.error == errc::eof);
  CHECK(there.error == errc::eof);
  streams = {};
  on.until([&] { return down.ran == 1 && on.far->closed(); });
  CHECK_FALSE(down.error);
  CHECK(on.near->closed()->origin == origin::local_application);
  CHECK(on.far->closed()->origin == origin::peer_application);
}

void shutdown_times_out(exercise& on) {
  const auto streams = on.join(*on.near, *on.far);
  const std::string unread(1 << 20, 'x');
  size_outcome wrote;
  asio::async_write(*streams.first, asio::buffer(unread), wrote.handler());
  plain_outcome down;
  on.near->async_shutdown(30ms, 0, down.handler());
  on.until([&] { return down.ran == 1 && wrote.ran == 1 && on.near->closed(); });
  CHECK(down.error == errc::timed_out);
  CHECK(wrote.error == errc::closed);
}

void destroyed_with_waits(exercise& on) {
  stream_outcome accepted;
  reason_outcome closed;
  on.near->async_accept_stream(accepted.handler());
  on.near->async_wait_closed(closed.handler());
  on.settle();
  on.near.reset();
  CHECK(accepted.ran + closed.ran == 0);
  on.until([&] { return accepted.ran == 1 && closed.ran == 1 && on.far->closed(); });
  CHECK(accepted.error == errc::aborted);
  CHECK(closed.error == errc::aborted);
  CHECK(on.far->closed()->origin == origin::peer_application);
}

void streams_outlive_the_handle(exercise& on) {
  auto streams = on.join(*on.near, *on.far);
  on.near.reset();
  on.settle();
  CHECK_FALSE(on.far->closed());
  on.say(*streams.first, "still here");
  CHECK(on.hear(*streams.second, 10) == "still here");
  streams.first.reset();
  on.until([&] { return on.far->closed().has_value(); });
}

struct cell {
  std::string_view name;
  void (*run)(exercise&);
};

constexpr std::array cells{
    cell{"open and accept, both ways", open_while_open},
    cell{"accept gives streams in order", accept_in_order},
    cell{"accept is cancelled", accept_cancelled},
    cell{"wait until closed is cancelled", wait_closed_cancelled},
    cell{"confirmed, while open", confirmed_while_open},
    cell{"close ends what waits", close_ends_everything},
    cell{"operations on a closed connection", operations_when_closed},
    cell{"accept after the peer has closed", late_accept},
    cell{"shutdown waits for streams", shutdown_waits},
    cell{"shutdown at its deadline", shutdown_times_out},
    cell{"the handle is destroyed while operations wait", destroyed_with_waits},
    cell{"streams outlive the handle", streams_outlive_the_handle},
};

}  // namespace

void check_connection_conformance(const connection_factory& make) {
  for (const cell& one : cells) {
    SECTION(std::string(one.name)) {
      const auto maker = make();
      exercise on(*maker);
      one.run(on);
    }
  }
}

}  // namespace strata::testkit
