// SPDX-License-Identifier: Apache-2.0
// A proxy that has been watched for a minute and a half, the same in every run.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "top/history.hpp"

namespace top::testing {

inline session session_of(std::uint64_t number, std::uint64_t second) {
  session made;
  made.inbound = "home";
  made.client = "192.0.2." + std::to_string(number % 7 + 1) + ":" + std::to_string(40000 + number);
  made.user = number % 3 == 0 ? "ann" : "";
  made.protocol = number % 2 == 0 ? "socks5" : "http";
  made.command = "connect";
  made.target = "host-" + std::to_string(number) + ".a-rather-long-domain.example:443";
  made.rule = number % 2 == 0 ? "default" : "work";
  made.outbound = number % 2 == 0 ? "direct" : "office";
  made.sent = (number + 1) * 1500 * second;
  made.received = (40 - number) * 123'456 * second;
  made.milliseconds = second * 1000 + number * 100'000;
  return made;
}

inline snapshot snapshot_of(std::uint64_t second) {
  snapshot made;
  made.version = "0.1.0";
  made.uptime = 273'600 + second;
  made.connections = 40;
  made.accepted = 1000 + 12 * second;
  made.refused = 3;
  const std::uint64_t wave = second * (second % 8 + 1);
  made.ways[{"default", "direct"}] = {.requests = 900 + 10 * second,
                                      .failures = 4,
                                      .sessions = 20,
                                      .sent = 3'000'000 + 61'500 * second + 1000 * wave,
                                      .received = 5'000'000'000 + 49'000'000 * second};
  made.ways[{"no mail", ""}] = {.requests = 7 * second, .failures = 7 * second};
  made.ways[{"work", "office"}] = {.requests = 70 + second / 2,
                                   .sessions = 20,
                                   .sent = 61'500 * second,
                                   .received = 44'000'000 * second};
  for (const char* name : {"tunnel hidden", "a rule with a long name", "b", "c", "d"})
    made.ways[{name, "direct"}] = {.requests = 1, .sent = 100, .received = 1000};
  made.connecting = {{0.001, 2 * second}, {0.01, 9 * second}, {0.1, 10 * second}};
  for (std::uint64_t number = 0; number < 40; ++number)
    made.sessions.push_back(session_of(number, second));
  return made;
}

inline history sample_history(std::uint64_t seconds = 90) {
  history made;
  const history::time_point begin{};
  for (std::uint64_t second = 0; second <= seconds; ++second)
    made.add(begin + std::chrono::seconds(second), snapshot_of(second));
  return made;
}

}  // namespace top::testing
