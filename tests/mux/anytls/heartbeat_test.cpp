// SPDX-License-Identifier: Apache-2.0
#include "core/anytls/heartbeat.hpp"

#include <catch2/catch_test_macros.hpp>
#include <chrono>

using strata::mux::core::anytls::heartbeat;
using namespace std::chrono_literals;
using verdict = heartbeat::verdict;
namespace limit = strata::mux::core::limits::anytls;

namespace {

constexpr heartbeat::time_point begun{1000s};

heartbeat started(heartbeat::duration interval = 30s, heartbeat::duration timeout = 10s) {
  heartbeat made(interval, timeout);
  made.start(begun);
  made.enable();
  return made;
}

}  // namespace

TEST_CASE("heartbeat: asks after the interval of silence, and gives up after the timeout",
          "[mux][anytls]") {
  heartbeat one = started();
  CHECK(one.next_timeout() == begun + 30s);
  CHECK(one.handle_timeout(begun + 30s - 1ns) == verdict::alive);
  CHECK_FALSE(one.take_request());
  CHECK(one.handle_timeout(begun + 30s) == verdict::alive);
  CHECK(one.take_request());
  CHECK_FALSE(one.take_request());
  CHECK(one.next_timeout() == begun + 40s);
  CHECK(one.handle_timeout(begun + 40s - 1ns) == verdict::alive);
  CHECK(one.handle_timeout(begun + 40s) == verdict::dead);
}

TEST_CASE("heartbeat: any byte is an answer", "[mux][anytls]") {
  heartbeat one = started();
  one.handle_timeout(begun + 30s);
  one.take_request();
  one.on_input(begun + 39s);
  CHECK(one.next_timeout() == begun + 69s);
  CHECK(one.handle_timeout(begun + 40s) == verdict::alive);
  CHECK(one.on_response());
  CHECK_FALSE(one.on_response());
}

TEST_CASE("heartbeat: what was to be asked is not asked once the peer was heard", "[mux][anytls]") {
  heartbeat one = started();
  one.handle_timeout(begun + 30s);
  one.on_input(begun + 31s);
  CHECK_FALSE(one.take_request());
  CHECK_FALSE(one.on_response());
}

TEST_CASE("heartbeat: nobody is asked before both ends speak version 2", "[mux][anytls]") {
  heartbeat one(30s, 10s);
  one.start(begun);
  CHECK_FALSE(one.next_timeout());
  one.ask(begun);
  CHECK_FALSE(one.is_asking());
  CHECK(one.handle_timeout(begun + 1h) == verdict::alive);
  one.enable();
  CHECK(one.next_timeout() == begun + 30s);
}

TEST_CASE("heartbeat: zero is never", "[mux][anytls]") {
  CHECK_FALSE(started(0s).next_timeout());
  heartbeat patient = started(30s, 0s);
  patient.handle_timeout(begun + 30s);
  CHECK(patient.take_request());
  CHECK_FALSE(patient.next_timeout());
  CHECK(patient.handle_timeout(begun + 24h) == verdict::alive);
}

TEST_CASE("heartbeat: bytes of streams in front of the request give it more time",
          "[mux][anytls]") {
  for (const std::uint64_t sent :
       {heartbeat::stall_bytes - 1, heartbeat::stall_bytes, heartbeat::stall_bytes + 1}) {
    heartbeat one = started();
    one.on_payload_sent(sent);
    one.handle_timeout(begun + 30s);
    one.take_request();
    const bool stalled = sent >= heartbeat::stall_bytes;
    CHECK(one.next_timeout() == begun + 30s + (stalled ? limit::stall_timeout : 10s));
    one.on_input(begun + 31s);  // It reads on.
    one.handle_timeout(begun + 61s);
    one.take_request();
    CHECK(one.next_timeout() == begun + 71s);
  }
}

TEST_CASE("heartbeat: a request that cannot leave has more time too", "[mux][anytls]") {
  heartbeat one = started();
  one.handle_timeout(begun + 30s);
  CHECK(one.next_timeout() == begun + 30s + limit::stall_timeout);
  CHECK(one.handle_timeout(begun + 40s) == verdict::alive);
  CHECK(one.handle_timeout(begun + 30s + limit::stall_timeout) == verdict::dead);
}

TEST_CASE("heartbeat: more time is never less than what is configured", "[mux][anytls]") {
  heartbeat one = started(30s, 10min);
  one.on_payload_sent(heartbeat::stall_bytes);
  one.handle_timeout(begun + 30s);
  one.take_request();
  CHECK(one.next_timeout() == begun + 30s + 10min);
}

TEST_CASE("heartbeat: asking by hand, once at a time", "[mux][anytls]") {
  heartbeat one = started();
  one.ask(begun + 5s);
  CHECK(one.is_asking());
  one.ask(begun + 6s);
  CHECK(one.take_request());
  CHECK(one.next_timeout() == begun + 15s);
}
