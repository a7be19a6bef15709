// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "raw_frames.hpp"

namespace strata::transport::tests {

/// One case of tests/vectors/websocket/cases.txt, whose head says what the words mean.
struct websocket_case {
  struct action {
    raw_frame frame;  // masked is said by the role of whoever sends it
    bool wrong_mask = false;
    unsigned times = 1;
    std::string raw;  // instead of a frame
  };
  enum class outcome { bye, answers, fails };

  std::string id;
  std::string title;
  std::size_t cut = SIZE_MAX;
  std::vector<action> actions;
  std::vector<raw_frame> wanted;  // opcode and payload
  outcome ends = outcome::bye;
  std::vector<unsigned> codes;

  /// What a peer of that role sends.
  std::string stream(bool from_client) const;
  /// And what when all that was wanted has come.
  std::string last_words(bool from_client) const;
  /// Payloads of the pings before any Close.
  std::vector<std::string> pings() const;
};

/// Throws std::runtime_error with the line that it does not understand.
std::vector<websocket_case> read_cases(const std::string& path);

}  // namespace strata::transport::tests
