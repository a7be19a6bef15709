// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/tcp.hpp"

#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/read.hpp>
#include <asio/strand.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "driver/native_socket_access.hpp"
#include "driver/tcp_connection.hpp"
#include "driver/tcp_dial.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"
#include "testkit/stream_conformance.hpp"

using namespace strata;
using namespace strata::transport;
using namespace std::chrono_literals;

namespace {

using stream_ptr = std::unique_ptr<stream>;

/// A dial or an accept and its outcome.
struct arrival {
  bool is_done = false;
  std::error_code error;
  stream_ptr made;

  auto store() {
    return [this](std::error_code result, stream_ptr from) {
      is_done = true;
      error = result;
      made = std::move(from);
    };
  }
};

class tcp_carrier final : public testkit::carrier {
 public:
  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }
  testkit::stream_ends connect() override {
    auto listener = *tcp_listener::listen(context_.get_executor(), address::loopback_v4(0));
    tcp_dialer dialer(context_.get_executor());
    arrival dialled, accepted;
    listener->async_accept(accepted.store());
    dialer.async_dial(listener->local_address(), dialled.store());
    while (!dialled.is_done || !accepted.is_done) context_.run_one_for(5s);
    return {std::move(dialled.made), std::move(accepted.made)};
  }

 private:
  asio::io_context context_;
  testkit::carrier_row row_{.name = "tcp",
                            .traits = {.half_close = true, .reset_visible = true},
                            .reset_kills_connection = true,
                            .tries = true};
};

/// A port of the loopback address on which nobody listens.
address closed_port(asio::io_context& context) {
  const asio::ip::tcp::acceptor taken(context, {asio::ip::address_v4::loopback(), 0});
  return address::loopback_v4(taken.local_endpoint().port());
}

bool has_ipv6(asio::io_context& context) {
  return tcp_listener::listen(context.get_executor(), address::loopback_v6(0)).has_value();
}

}  // namespace

TEST_CASE("tcp: streams keep the contract", "[transport][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<tcp_carrier>(); });
}

TEST_CASE("tcp_listener: port 0 gets a port, and streams know both addresses", "[transport][tcp]") {
  asio::io_context context;
  auto listener = *tcp_listener::listen(context.get_executor(), address::loopback_v4(0));
  tcp_dialer dialer(context.get_executor());
  arrival dialled, accepted;
  REQUIRE(listener->local_address().port() != 0);

  listener->async_accept(accepted.store());
  dialer.async_dial(listener->local_address(), dialled.store());
  context.run();

  REQUIRE(dialled.made);
  REQUIRE(accepted.made);
  CHECK(dialled.made->native().remote_address() == listener->local_address());
  CHECK(accepted.made->native().local_address() == listener->local_address());
  CHECK(accepted.made->native().remote_address() == dialled.made->native().local_address());
}

TEST_CASE("tcp: small writes are not delayed", "[transport][tcp]") {
  tcp_carrier carrier;
  auto ends = carrier.connect();
  for (const auto* end : {&ends.near, &ends.far}) {
    const auto handle = detail::native_socket_access::of((*end)->native());
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    REQUIRE(::getsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size) == 0);
    CHECK(no_delay != 0);
  }
}

TEST_CASE("tcp_listener: the unspecified IPv6 address takes both families, and shows IPv4 as IPv4",
          "[transport][tcp]") {
  asio::io_context context;
  if (!has_ipv6(context)) SKIP("no IPv6 here");
  auto listener = *tcp_listener::listen(context.get_executor(), address::any_v6(0));
  tcp_dialer dialer(context.get_executor());
  const std::uint16_t port = listener->local_address().port();

  for (const address& to : {address::loopback_v4(port), address::loopback_v6(port)}) {
    arrival dialled, accepted;
    listener->async_accept(accepted.store());
    dialer.async_dial(to, dialled.store());
    context.restart();
    context.run();
    REQUIRE(accepted.made);
    CHECK(accepted.made->native().remote_address().ip_family() == to.ip_family());
  }
}

TEST_CASE("tcp_listener: closing ends the pending accept and refuses later ones",
          "[transport][tcp]") {
  asio::io_context context;
  auto listener = *tcp_listener::listen(context.get_executor(), address::loopback_v4(0));
  arrival pending, later;
  listener->async_accept(pending.store());
  context.poll();

  listener->close();
  context.restart();
  context.poll();
  listener->async_accept(later.store());
  context.restart();
  context.poll();

  CHECK(pending.error == errc::aborted);
  CHECK(later.error == errc::closed);
  CHECK(listener->local_address() == address());
}

TEST_CASE("tcp_listener: a cancelled accept loses no connection", "[transport][tcp]") {
  asio::io_context context;
  auto listener = *tcp_listener::listen(context.get_executor(), address::loopback_v4(0));
  tcp_dialer dialer(context.get_executor());
  asio::cancellation_signal signal;
  arrival cancelled, dialled, accepted;
  listener->async_accept(asio::bind_cancellation_slot(signal.slot(), cancelled.store()));
  context.poll();

  signal.emit(asio::cancellation_type::terminal);
  dialer.async_dial(listener->local_address(), dialled.store());
  context.run();
  listener->async_accept(accepted.store());
  context.restart();
  context.run();

  CHECK(cancelled.error == errc::aborted);
  CHECK(accepted.made);
}

TEST_CASE("tcp_listener: a taken port is an error of the system", "[transport][tcp]") {
  asio::io_context context;
  const auto first = *tcp_listener::listen(context.get_executor(), address::loopback_v4(0));

  const auto second = tcp_listener::listen(context.get_executor(), first->local_address());

  REQUIRE_FALSE(second);
  CHECK(second.error() == std::errc::address_in_use);
}

TEST_CASE("tcp_listener: with reuse_port several share one port", "[transport][tcp]") {
  asio::io_context context;
  const tcp_listener_options shared{.reuse_port = true};
  const auto first = *tcp_listener::listen(context.get_executor(), address::loopback_v4(0), shared);

  CHECK(tcp_listener::listen(context.get_executor(), first->local_address(), shared));
}

TEST_CASE("tcp_dialer: nobody there is refused", "[transport][tcp]") {
  asio::io_context context;
  tcp_dialer dialer(context.get_executor());
  arrival dialled;

  dialer.async_dial(closed_port(context), dialled.store());
  context.run();

  CHECK(dialled.error == errc::refused);
  CHECK(dialled.error == condition::refused);
  CHECK(dialled.made == nullptr);
}

TEST_CASE("tcp_dialer: names are resolved", "[transport][tcp]") {
  asio::io_context context;
  const auto listener = *tcp_listener::listen(context.get_executor(), address::loopback_v4(0));
  tcp_dialer dialer(context.get_executor());
  arrival dialled;

  dialer.async_dial(target("localhost", listener->local_address().port()), dialled.store());
  context.run();

  CHECK_FALSE(dialled.error);
  CHECK(dialled.made);
}

TEST_CASE("tcp_dialer: names that cannot exist are not asked for", "[transport][tcp]") {
  asio::io_context context;
  tcp_dialer dialer(context.get_executor());
  arrival forged, endless;

  dialer.async_dial(target(std::string_view("localhost\0.example", 18), 1), forged.store());
  dialer.async_dial(target(std::string(70, 'a') + ".invalid", 1),
                    endless.store());  // a label has at most 63
  context.run();

  CHECK(forged.error == errc::invalid_argument);
  CHECK(endless.error == errc::name_not_found);
}

TEST_CASE("tcp_dialer: a failed address makes room for the next", "[transport][tcp]") {
  asio::io_context context;
  auto listener = *tcp_listener::listen(context.get_executor(), address::loopback_v4(0));
  const ready_list ready(context.get_executor());
  const auto dial =
      make_driver<tcp_dial>(ready.executor(), ready, tcp_dialer_options{.attempt_delay = 1h});
  arrival dialled;

  dial->start({closed_port(context), listener->local_address()},
              make_completion<stream_signature>(dialled.store(), ready.executor()));
  context.run();

  REQUIRE(dialled.made);
  CHECK(dialled.made->native().remote_address() == listener->local_address());
}

TEST_CASE("tcp_dialer: a dial can be cancelled, and given up with its dialer", "[transport][tcp]") {
  asio::io_context context;
  const auto listener = *tcp_listener::listen(context.get_executor(), address::loopback_v4(0));
  auto dialer = std::make_unique<tcp_dialer>(context.get_executor());
  asio::cancellation_signal signal;
  arrival cancelled, abandoned;
  dialer->async_dial(target("localhost", 1),
                     asio::bind_cancellation_slot(signal.slot(), cancelled.store()));
  dialer->async_dial(listener->local_address(), abandoned.store());

  signal.emit(asio::cancellation_type::terminal);
  dialer.reset();
  CHECK_FALSE(cancelled.is_done);
  context.run();

  CHECK(cancelled.error == errc::aborted);
  CHECK(abandoned.error == errc::aborted);
}

TEST_CASE("tcp_dialer: a dial has the deadline it is given", "[transport][tcp]") {
  asio::io_context context;
  // A full backlog: the system takes no further connection, and answers nothing.
  asio::ip::tcp::acceptor busy(context, asio::ip::tcp::v4());
  busy.bind({asio::ip::address_v4::loopback(), 0});
  busy.listen(0);
  std::vector<asio::ip::tcp::socket> waiting;
  for (int count = 0; count < 4; ++count) {
    waiting.emplace_back(context).async_connect(busy.local_endpoint(), [](std::error_code) {});
    context.poll();
  }
  tcp_dialer dialer(context.get_executor());
  arrival dialled;

  auto dial = dialer.async_dial(address::loopback_v4(busy.local_endpoint().port()));
  with_timeout(std::move(dial), 20ms, [&](std::error_code error, stream_ptr from) {
    dialled.store()(error, std::move(from));
    waiting.clear();
  });
  context.restart();
  context.run();

  CHECK(dialled.error == errc::timed_out);
}

TEST_CASE("tcp: on a context of several threads each stream has its strand",
          "[transport][tcp][threads]") {
  asio::io_context context;
  constexpr int pairs = 4;
  constexpr int rounds = 200;
  std::atomic<int> finished = 0;
  const auto ping = [&](stream_ptr on, bool begins) -> asio::awaitable<void> {
    std::array<char, 32> memory{};
    const auto buffer = asio::buffer(memory);
    for (int round = 0; round < rounds; ++round) {
      if (begins) co_await asio::async_write(*on, buffer, asio::use_awaitable);
      co_await asio::async_read(*on, buffer, asio::use_awaitable);
      if (!begins) co_await asio::async_write(*on, buffer, asio::use_awaitable);
    }
    ++finished;
    co_await on->async_finish();
  };
  for (int pair = 0; pair < pairs; ++pair) {
    asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    const std::array<asio::any_io_executor, 2> strands{asio::make_strand(context),
                                                       asio::make_strand(context)};
    asio::ip::tcp::socket first(strands[0]), second(strands[1]);
    first.connect(acceptor.local_endpoint());
    acceptor.accept(second);
    asio::co_spawn(strands[0],
                   ping(make_tcp_stream(ready_list(strands[0]), std::move(first), true), true),
                   asio::detached);
    asio::co_spawn(strands[1],
                   ping(make_tcp_stream(ready_list(strands[1]), std::move(second), true), false),
                   asio::detached);
  }

  std::thread other([&] { context.run(); });
  context.run();
  other.join();

  CHECK(finished == 2 * pairs);
}

TEST_CASE("tcp: urgent bytes neither close nor keep a stream busy", "[transport][tcp]") {
  tcp_carrier carrier;
  testkit::stream_exercise on(carrier);
  CHECK_FALSE(on.finish(*on.near).error());
  auto waiting = on.start_wait_closed(*on.near);
  on.settle();

  REQUIRE(::send(detail::native_socket_access::of(on.far->native()), "!", 1, MSG_OOB) == 1);
  carrier.context().restart();
  std::size_t turns = 0;
  while (turns < 100 && carrier.context().poll_one() > 0) ++turns;

  CHECK(turns < 100);
  CHECK_FALSE(waiting.is_done());
}

TEST_CASE(
    "tcp: a finished stream that is destroyed delivers all it wrote to a peer that still sends",
    "[transport][tcp]") {
  tcp_carrier carrier;
  testkit::stream_exercise on(carrier);
  const std::string answer(1 << 20, 'a');
  const std::string upload(1 << 20, 'u');
  testkit::started_operation answered, uploaded;
  asio::async_write(*on.far, asio::buffer(upload), uploaded.handler());
  asio::async_write(*on.near, asio::buffer(answer), answered.handler());
  std::string received(answer.size() / 2, ' ');
  while (!answered.is_done()) {
    on.read_exactly(*on.far, 64 * 1024);
    on.settle();
  }
  CHECK_FALSE(on.finish(*on.near).error());

  on.near.reset();

  CHECK(on.complete(uploaded).count() == upload.size());  // thrown away, not refused
  while (on.read_exactly(*on.far, 64 * 1024).size() == 64 * 1024) {}
  CHECK(on.read(*on.far).error() == errc::eof);
}
