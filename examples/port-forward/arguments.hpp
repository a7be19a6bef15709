// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

struct arguments {
  bool is_remote = false;
  std::string listen;
  std::string peer;  ///< The remote side, or the target.
  std::string certificate;
  std::string key;
  std::string authority;  ///< Of the remote side's certificate, or of its clients'.
  std::string pin;
  std::string keylog;
  bool insecure = false;
  std::size_t most = 500;
  std::chrono::milliseconds patience{10'000};
};

/// Ends the program with a message when the command line makes no sense.
arguments parse_arguments(int count, char** values);
