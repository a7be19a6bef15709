// SPDX-License-Identifier: Apache-2.0
#include "traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <chrono>

#include "access_log.hpp"
#include "strata/transport/core/error.hpp"
#include "top/snapshot.hpp"

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

TEST_CASE("a session's line is read as it was written, whatever is in it", "[attack][P31][proxy]") {
  session_report hostile = report("a\tb\n\x1b[2J\\x41", 7);
  hostile.inbound = "\t";
  hostile.request.user = "\n\r\\";
  hostile.lasted = 1234ms;
  const std::string page = columns_of_sessions() + to_columns(hostile) + to_columns(report("r", 1));
  for (const char each : page) CHECK((each >= 0x20 || each == '\t' || each == '\n'));
  const auto read = top::parse_sessions(page);
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  CHECK(read->front().rule == hostile.rule);
  CHECK(read->front().inbound == "\t");
  CHECK(read->front().user == "\n\r\\");
  CHECK(read->front().sent == 7);
  CHECK(read->front().received == 14);
  CHECK(read->front().milliseconds == 1234);
  CHECK(read->front().protocol == "socks5");
  CHECK(read->front().command == "connect");
}
