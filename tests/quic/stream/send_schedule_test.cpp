// SPDX-License-Identifier: Apache-2.0
#include "core/stream/send_schedule.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

using namespace strata::quic::core;
using place = scheduled::place;

namespace {

struct fixture {
  send_schedule schedule;
  std::array<scheduled, 6> streams;

  /// Serves `count` packets and says to whom, by index.
  std::string serve(int count, bool credit = true) {
    std::string order;
    for (int i = 0; i < count; ++i) {
      scheduled* next = schedule.next(credit);
      if (next == nullptr) return order + ".";
      order += static_cast<char>('0' + (next - streams.data()));
      schedule.served(*next);
    }
    return order;
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "send_schedule: incremental streams take turns", "[quic][stream]") {
  for (int i : {0, 1, 2}) schedule.move(streams[static_cast<std::size_t>(i)], place::fresh);
  CHECK(serve(7) == "0120120");
  schedule.move(streams[1], place::none);
  CHECK(serve(4) == "2020");
}

TEST_CASE_METHOD(fixture, "send_schedule: one that is not incremental keeps its turn until its end",
                 "[quic][stream]") {
  for (std::size_t i : {0u, 1u}) {
    schedule.prioritize(streams[i], 3, false);
    schedule.move(streams[i], place::fresh);
  }
  CHECK(serve(3) == "000");
  // It runs dry for a moment; the other one fills in, but does not take over.
  schedule.move(streams[0], place::none);
  CHECK(serve(2) == "11");
  schedule.move(streams[0], place::fresh);
  CHECK(serve(2) == "00");
  schedule.move(streams[0], place::none);
  schedule.release_turn(streams[0]);
  CHECK(serve(1) == "1");
  schedule.move(streams[0], place::fresh);
  CHECK(serve(2) == "11");
}

TEST_CASE_METHOD(
    fixture, "send_schedule: lower urgency numbers go first, and both kinds of one urgency share",
    "[quic][stream]") {
  schedule.prioritize(streams[0], 5, true);
  schedule.prioritize(streams[1], 2, true);
  schedule.prioritize(streams[2], 2, false);
  schedule.prioritize(streams[3], 200, true);
  CHECK(streams[3].urgency == 7);
  for (std::size_t i = 0; i < 4; ++i) schedule.move(streams[i], place::fresh);
  CHECK(serve(4) == "1212");
  schedule.move(streams[1], place::none);
  CHECK(serve(2) == "22");
  schedule.move(streams[2], place::none);
  CHECK(serve(2) == "00");
  schedule.move(streams[0], place::none);
  CHECK(serve(1) == "3");
}

TEST_CASE_METHOD(
    fixture,
    "send_schedule: lost bytes go before fresh ones of the same urgency, and need no credit",
    "[quic][stream]") {
  schedule.move(streams[0], place::fresh);
  schedule.move(streams[1], place::resend);
  CHECK(serve(2) == "11");
  CHECK(serve(2, false) == "11");
  schedule.move(streams[1], place::none);
  CHECK(serve(1, false) == ".");
  CHECK(serve(1) == "0");
  schedule.prioritize(streams[0], 1, true);
  schedule.move(streams[1], place::resend);
  CHECK(serve(1) == "0");
  CHECK(serve(1, false) == "1");
}

TEST_CASE_METHOD(fixture, "send_schedule: a new priority takes effect at once", "[quic][stream]") {
  for (std::size_t i : {0u, 1u}) schedule.move(streams[i], place::fresh);
  schedule.prioritize(streams[1], 0, true);
  CHECK(serve(2) == "11");
  schedule.prioritize(streams[0], 0, false);
  CHECK(serve(4) == "0101");
}
