// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

struct arguments {
  std::string directory;
  std::string listen = "[::]:4433";
  std::string certificate;  ///< PEM files; empty: one is made in memory.
  std::string key;
  std::vector<std::string> names;  ///< Of the certificate that is made.
  std::string written_certificate;
  std::vector<std::string> ech_keys;  ///< PEM files, the newest first.
  std::string qlog;
  std::string keylog;
  std::string congestion = "cubic";
  bool retry = false;
};

/// Ends the program with a message when the command line makes no sense.
arguments parse_arguments(int count, char** values);
