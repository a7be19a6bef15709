// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "url.hpp"

/// Exit codes, as curl's.
namespace exit_code {
inline constexpr int ok = 0, usage = 2, resolve = 6, connect = 7, http_error = 22, write = 23,
                     timeout = 28, tls = 35, receive = 56, certificate = 60, ech = 101;
}

struct target_file {
  enum class kind_type { standard_output, named, from_url };
  kind_type kind = kind_type::standard_output;
  std::string name;
};

struct arguments {
  std::vector<std::pair<url, target_file>> downloads;
  std::string output_directory;
  std::string method;  ///< Empty: GET, HEAD with -I, POST with -d.
  std::optional<std::string> body;
  std::vector<std::pair<std::string, std::string>> fields;
  bool fail = false;
  bool head = false;
  bool include = false;
  bool silent = false;
  bool verbose = false;
  bool insecure = false;
  bool json = false;
  std::size_t parallel = 50;
  std::optional<std::vector<std::byte>> ech;  ///< The list, in whatever form.
  bool ech_grease = false;
  bool ech_secure_disable = false;
  std::string connect_to;
  std::string ca_file;
  std::string qlog;
  std::string keylog;
  std::string congestion = "cubic";
  std::string alpn = "h3";
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds max_time{0};  ///< Zero: none.
};

/// Ends the program with a message when the command line makes no sense.
arguments parse_arguments(int count, char** values);
