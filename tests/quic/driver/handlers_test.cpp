// SPDX-License-Identifier: Apache-2.0
// Where handlers run, and what happens when they throw.
#include <array>
#include <asio/bind_executor.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/write.hpp>
#include <stdexcept>
#include <string>

#include "endpoint_pair.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;
using transport::errc;

namespace {

/// Runs until a handler throws, and says what.
std::string thrown_by(endpoint_pair& pair) {
  try {
    pair.run_until([] { return false; });
  } catch (const std::runtime_error& thrown) {
    return thrown.what();
  }
  return {};
}

}  // namespace

TEST_CASE("quic: a handler that throws harms no other", "[quic][driver][handlers]") {
  endpoint_pair pair;
  pair.connect();
  auto [near, far] = pair.make_streams();
  std::array<char, 16> memory{};
  size_outcome written, read;
  stream_outcome accepted;
  reason_outcome closed;
  pair.near.async_accept_stream(true, accepted.handler());
  near->async_read_some(asio::buffer(memory),
                        [](std::error_code, std::size_t) { throw std::runtime_error("mine"); });
  far->async_write_some(asio::buffer("x", 1), written.handler());
  CHECK(thrown_by(pair) == "mine");

  // Ready in one turn, the first throws: the rest still run, each once.
  pair.near.async_accept_stream(false, [](std::error_code error, stream_ptr) {
    CHECK(error == errc::closed_by_peer);
    throw std::runtime_error("mine again");
  });
  pair.near.async_wait_closed(closed.handler());
  near->async_read_some(asio::buffer(memory), read.handler());
  pair.far.close(3);
  CHECK(thrown_by(pair) == "mine again");
  pair.settle();
  CHECK(accepted.ended_with(errc::closed_by_peer));
  CHECK(read.ended_with(errc::closed_by_peer));
  CHECK(closed.ended_with({}));

  // And the endpoint works on.
  pair.near = {};
  pair.far = {};
  pair.connect();
}

TEST_CASE("quic: an admit() that throws refuses its client and harms no other",
          "[quic][driver][handlers]") {
  endpoint_pair pair;
  quic::endpoint_options options;
  unsigned asked = 0;
  options.admit = [&](const quic::core::incoming_attempt&,
                      const quic::core::endpoint_statistics&) -> quic::core::decision {
    if (asked++ == 0) throw std::runtime_error("no thought");
    return quic::core::decision::accept;
  };
  pair.open_server(pair.far_context->get_executor(), std::move(options));
  connection_outcome dialled;
  pair.client.async_connect(pair.server.local_address(), "server.test", pair.client_config,
                            dialled.handler());
  CHECK(thrown_by(pair) == "no thought");
  pair.run_until([&] { return dialled.ran == 1; });
  CHECK(dialled.error == errc::refused);
  dialled.value = {};
  pair.connect();
  CHECK(asked == 2);
}

TEST_CASE("quic: handlers run on their own executor", "[quic][driver][handlers]") {
  endpoint_pair pair;
  asio::io_context elsewhere;
  unsigned there = 0, here = 0;
  const auto counting = [&](auto keep) {
    return asio::bind_executor(elsewhere, [&, keep](std::error_code, auto... result) {
      ++(elsewhere.get_executor().running_in_this_thread() ? there : here);
      keep(std::move(result)...);
    });
  };
  const auto nothing = [](auto&&...) {};
  const auto run_both = [&](unsigned wanted) {
    pair.run_until([&] {
      elsewhere.restart();
      elsewhere.poll();
      return there + here == wanted;
    });
  };
  pair.server.async_accept(counting([&](quic::connection got) { pair.far = std::move(got); }));
  pair.client.async_connect(pair.server.local_address(), "server.test", pair.client_config,
                            counting([&](quic::connection got) { pair.near = std::move(got); }));
  run_both(2);
  REQUIRE(pair.near);
  REQUIRE(pair.far);

  stream_ptr near, far;
  std::array<char, 16> memory{};
  pair.near.async_confirmed(counting(nothing));
  pair.near.async_open_stream(true, counting([&](stream_ptr got) { near = std::move(got); }));
  pair.far.async_accept_stream(true, counting([&](stream_ptr got) { far = std::move(got); }));
  run_both(4);
  near->async_write_some(asio::buffer("x", 1), counting(nothing));
  near->async_write_borrowed(asio::buffer("y", 1), counting(nothing));
  near->async_finish(counting(nothing));
  run_both(8);
  far->async_wait_readable(counting(nothing));
  run_both(9);
  far->async_read_some(asio::buffer(memory), counting(nothing));
  far->async_wait_closed(counting(nothing));
  pair.far.async_wait_closed(counting(nothing));
  pair.near.async_shutdown(5s, 0, counting(nothing));
  pair.server.async_close(0, counting(nothing));
  run_both(14);
  CHECK(there == 14);
  CHECK(here == 0);
}

TEST_CASE("quic: an operation keeps the context of its handler busy", "[quic][driver][handlers]") {
  endpoint_pair pair;
  asio::io_context elsewhere;
  connection_outcome accepted;
  pair.server.async_accept(asio::bind_executor(elsewhere, accepted.handler()));
  elsewhere.poll();
  CHECK_FALSE(elsewhere.stopped());
  pair.server.stop_accepting();
  pair.settle();
  CHECK(accepted.ran == 0);
  elsewhere.restart();
  elsewhere.run();
  CHECK(accepted.ended_with(errc::closed));
}

TEST_CASE("quic: an endpoint on a strand", "[quic][driver][handlers]") {
  endpoint_pair pair;
  const auto strand = asio::make_strand(*pair.near_context);
  unsigned in_strand = 0;
  size_outcome written;
  stream_ptr stream;
  const std::string sent(100'000, 'x');
  const auto count = [&] { in_strand += strand.running_in_this_thread() ? 1u : 0u; };
  asio::post(strand, [&] {
    pair.open_client(strand);
    pair.client.async_connect(
        pair.server.local_address(), "server.test", pair.client_config,
        [&](std::error_code, quic::connection got) {
          count();
          pair.near = std::move(got);
          pair.near.async_open_stream(true, [&](std::error_code, stream_ptr opened) {
            count();
            stream = std::move(opened);
            asio::async_write(*stream, asio::buffer(sent),
                              [&](std::error_code error, std::size_t size) {
                                count();
                                written.handler()(error, size);
                              });
          });
        });
  });
  pair.run_until([&] { return written.ran == 1; });
  CHECK(written.value == sent.size());
  CHECK(in_strand == 3);
  asio::post(strand, [&] {
    stream.reset();
    pair.near = {};
    pair.client = {};
  });
  pair.server = {};
  CHECK(pair.run_out());
}
