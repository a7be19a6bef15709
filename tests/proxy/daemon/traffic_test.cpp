// SPDX-License-Identifier: Apache-2.0
#include "traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <chrono>

#include "strata/transport/core/error.hpp"

using namespace std::chrono_literals;
using strata::proxy::session_report;

namespace {

session_report report(const std::string& rule, std::uint64_t forth) {
  session_report made;
  made.rule = rule;
  made.outbound = "direct";
  made.moved = {.forth = forth, .back = 2 * forth};
  made.connecting = 3ms;
  return made;
}

}  // namespace

TEST_CASE("traffic: sums do not jump when a session ends") {
  traffic ended;
  traffic before = ended;
  before.add_current(report("", 100));
  CHECK(before.ways.at({"default", "direct"}).moved.forth == 100);
  CHECK(before.ways.at({"default", "direct"}).sessions == 1);
  CHECK(before.connecting.at("direct").count() == 1);
  ended.add_ended(report("", 100));
  CHECK(ended.ways.at({"default", "direct"}).moved.forth == 100);
  CHECK(ended.ways.at({"default", "direct"}).requests == 1);
  CHECK(ended.ways.at({"default", "direct"}).sessions == 0);
  CHECK(ended.connecting.at("direct").count() == 1);
}

TEST_CASE("traffic: failures count by rule, and what no rule has decided not at all") {
  traffic all;
  session_report failed = report("work", 0);
  failed.error = make_error_code(strata::transport::errc::refused);
  failed.connecting.reset();
  all.add_ended(failed);
  all.add_ended(report("work", 1));
  CHECK(all.ways.at({"work", "direct"}).failures == 1);
  CHECK(all.ways.at({"work", "direct"}).requests == 2);
  CHECK(all.connecting.at("direct").count() == 1);
  session_report undecided;
  all.add_current(undecided);
  CHECK(all.ways.size() == 1);
}

TEST_CASE("traffic: a histogram's buckets hold what is within their bounds") {
  connect_times all;
  for (const auto each : {strata::transport::duration(500us), strata::transport::duration(501us),
                          strata::transport::duration(10s), strata::transport::duration(11s)})
    all.add(each);
  CHECK(all.within(0) == 1);
  CHECK(all.within(1) == 2);
  CHECK(all.within(connect_times::bounds.size() - 1) == 3);
  CHECK(all.count() == 4);
  CHECK(all.sum() > 21s);
}
