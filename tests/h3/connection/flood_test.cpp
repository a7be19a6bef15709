// SPDX-License-Identifier: Apache-2.0
#include "core/connection/flood_budget.hpp"

#include <catch2/catch_test_macros.hpp>

#include "harness.hpp"

using namespace strata::h3;
using namespace strata::h3::test;
using core::flood_budget;
namespace limits = strata::h3::core::limits;

namespace {

constexpr std::uint64_t cancelled = static_cast<std::uint64_t>(error_code::request_cancelled);

/// How many requests of this behaviour are taken before the connection closes; at most 10,000.
template <class Behaviour>
std::uint64_t requests_until_closed(Behaviour behave, std::chrono::milliseconds pause = {}) {
  harness server = harness::server();
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    if (!server.closed_with().empty()) {
      CHECK(server.closed_with() == "H3_EXCESSIVE_LOAD");
      return i;
    }
    behave(server, 4 * i);
    server.flush();
    server.now += pause;
  }
  CHECK(server.core.request_count() == 0);
  return 10'000;
}

}  // namespace

TEST_CASE("flood_budget: 998 and 999 glitches in a burst are borne, the thousandth is not",
          "[h3][connection]") {
  flood_budget budget;
  const strata::transport::time_point now{};
  for (unsigned i = 1; i < limits::glitch_burst; ++i) REQUIRE(budget.charge(now));
  CHECK(!budget.charge(now));
}

TEST_CASE("flood_budget: 33 tokens come back a second, up to the burst", "[h3][connection]") {
  flood_budget budget;
  strata::transport::time_point now{};
  for (unsigned i = 1; i < limits::glitch_burst; ++i) REQUIRE(budget.charge(now));
  now += std::chrono::seconds(1);
  for (unsigned i = 0; i < limits::glitches_per_second; ++i) REQUIRE(budget.charge(now));
  CHECK(!budget.charge(now));
  now += std::chrono::hours(1);
  for (unsigned i = 1; i < limits::glitch_burst; ++i) REQUIRE(budget.charge(now));
  CHECK(!budget.charge(now));
}

TEST_CASE("flood_budget: time in small steps earns as much as in one", "[h3][connection]") {
  flood_budget budget;
  strata::transport::time_point now{};
  // A hundred glitches a second against 33 tokens: a burst of 1000 lasts for 1000 / 67 seconds.
  std::size_t borne = 0;
  for (; budget.charge(now); ++borne) now += std::chrono::milliseconds(10);
  CHECK(borne >= 1480);
  CHECK(borne <= 1500);
}

TEST_CASE("flood_budget H29: eight bytes of overhead per useful byte beyond the first MiB",
          "[h3][connection][attack][H29]") {
  flood_budget budget;
  CHECK(budget.add_overhead(limits::overhead_allowance));
  CHECK(budget.add_overhead(limits::overhead_ratio - 1));
  CHECK(!budget.add_overhead(1));
  budget.add_useful(1);
  CHECK(budget.add_overhead(0));
}

TEST_CASE("flood H01: requests opened and cancelled close the connection within a thousand",
          "[h3][connection][attack][H01]") {
  const auto with_reset = [](harness& server, std::uint64_t id) {
    server.feed(id, headers(get_lines));
    server.core.stream_reset(server.now, id, cancelled);
    server.core.stop_sending(server.now, id, cancelled);
  };
  CHECK(requests_until_closed(with_reset) <= 1000);
  const auto with_stop_only = [](harness& server, std::uint64_t id) {
    server.feed(id, headers(get_lines), true);
    server.core.stop_sending(server.now, id, cancelled);
  };
  CHECK(requests_until_closed(with_stop_only) <= 1000);
  const auto before_headers = [](harness& server, std::uint64_t id) {
    server.core.stream_reset(server.now, id, cancelled);
  };
  CHECK(requests_until_closed(before_headers) <= 1000);
}

TEST_CASE("flood H02: requests made to fail close it as well", "[h3][connection][attack][H02]") {
  CHECK(requests_until_closed([](harness& server, std::uint64_t id) {
          server.feed(id, headers({{":method", "GET"}}), true);
        }) <= 1000);
  CHECK(requests_until_closed(
            [](harness& server, std::uint64_t id) { server.feed(id, {}, true); }) <= 1000);
}

TEST_CASE("flood: 10,000 requests that are served, with a reset now and then, are no flood",
          "[h3][connection]") {
  const auto served = [](harness& server, std::uint64_t id) {
    server.feed(id, headers(get_lines), true);
    if (id % 40 == 0) return server.core.stop_sending(server.now, id, cancelled);
    REQUIRE(server.core.request(id).send_headers(ok_lines, true));
  };
  CHECK(requests_until_closed(served) == 10'000);
}

TEST_CASE("flood: thirty resets a second can go on for ever", "[h3][connection]") {
  const auto reset = [](harness& server, std::uint64_t id) {
    server.core.stream_reset(server.now, id, cancelled);
  };
  CHECK(requests_until_closed(reset, std::chrono::milliseconds(1000 / 30)) == 10'000);
}

TEST_CASE("flood: control frames, empty DATA frames and unknown streams are counted",
          "[h3][connection]") {
  harness control = harness::server();
  control.feed(2, varint(0) + settings_frame());
  for (int i = 0; i < 1000; ++i) control.feed(2, frame(frame_type::max_push_id, varint(0)));
  CHECK(control.closed_with() == "H3_EXCESSIVE_LOAD");

  harness empty = harness::server();
  empty.feed(0, headers(post_lines));
  for (int i = 0; i < 1000; ++i) empty.feed(0, data_frame(""));
  CHECK(empty.closed_with() == "H3_EXCESSIVE_LOAD");

  harness streams = harness::server();
  for (std::uint64_t i = 0; i < 1000; ++i) streams.feed(2 + 4 * i, varint(0x21));
  CHECK(streams.closed_with() == "H3_EXCESSIVE_LOAD");
}

TEST_CASE("flood H15: PRIORITY_UPDATE by the thousand, for streams that will never be, is counted",
          "[h3][connection][attack][H15]") {
  for (const std::uint64_t type : {0xf0700u, 0xf0701u}) {
    harness server = harness::server();
    server.feed(2, varint(0) + settings_frame());
    std::size_t borne = 0;
    for (; server.closed_with().empty() && borne < 10'000; ++borne)
      server.feed(2, frame(type, varint(4 * borne) + text("u=1,i,\"junk")));
    CHECK(server.closed_with() == "H3_EXCESSIVE_LOAD");
    CHECK(borne <= limits::glitch_burst);
  }
}

TEST_CASE("flood H29: a stream of unknown frames beyond a MiB closes, useful content does not",
          "[h3][connection][attack][H29]") {
  harness server = harness::server();
  server.feed(0, headers(post_lines));
  const byte_vector pad = frame(0x21, byte_vector(1 << 14));
  std::size_t sent = 0;
  while (server.closed_with().empty() && sent < (std::size_t{4} << 20)) {
    server.feed(0, pad);
    sent += pad.size();
  }
  CHECK(server.closed_with() == "H3_EXCESSIVE_LOAD");
  CHECK(sent < limits::overhead_allowance + 2 * pad.size());

  harness useful = harness::server();
  useful.feed(0, headers(post_lines));
  for (int i = 0; i < 1000; ++i) useful.feed(0, data_frame(std::string(10'000, 'x')));
  for (int i = 0; i < 200'000; ++i) useful.feed(0, data_frame("12345678"));
  CHECK(useful.closed_with().empty());
}

TEST_CASE("flood: as many requests as allowed may be open, one more closes or is rejected",
          "[h3][connection]") {
  harness server({.role = role::server, .max_requests = 4});
  for (std::uint64_t i = 0; i < 4; ++i) server.feed(4 * i, headers(get_lines));
  CHECK(server.core.request_count() == 4);
  server.feed(16, headers(get_lines));
  CHECK(server.commands == "reset 16 H3_REQUEST_REJECTED\nstop 16 H3_REQUEST_REJECTED\n");
  CHECK(server.core.request_count() == 4);
  server.feed(20 + 16, headers(get_lines));
  CHECK(server.closed_with() == "H3_EXCESSIVE_LOAD");
}

TEST_CASE("flood: a decoder stream that QUIC never takes is not allowed to grow",
          "[h3][connection]") {
  harness server = harness::server();
  server.writes = false;
  std::uint64_t id = 0;
  for (; server.closed_with().empty() && id < 400'000; id += 4) {
    server.now += std::chrono::milliseconds(40);
    server.core.stream_reset(server.now, id, cancelled);
    server.flush();
  }
  CHECK(server.closed_with() == "H3_EXCESSIVE_LOAD");
  CHECK(id / 4 * 2 >= limits::max_decoder_stream_backlog / 2);
}
