// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

struct arguments {
  std::string listen = "0.0.0.0:8443";
  std::string password;
  std::string certificate;  ///< PEM files; empty: one is made in memory.
  std::string key;
  std::string padding;   ///< A file with a padding scheme.
  std::string fallback;  ///< Who gets what is not anytls; empty: nobody.
  std::string congestion;
  std::string keylog;
  unsigned version = 2;
};

/// Ends the program with a message when the command line makes no sense.
arguments parse_arguments(int count, char** values);
