// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "strata/transport/core/connection_security.hpp"

struct arguments {
  std::string listen = "127.0.0.1:1080";
  std::string server;
  std::string password;
  std::string sni;  ///< Empty: the server's host.
  std::string authority;
  std::optional<strata::transport::certificate_hash> pin;
  std::string congestion;
  std::string keylog;
  std::chrono::seconds idle_check{30};
  std::chrono::seconds idle_timeout{60};
  std::size_t min_idle = 5;
  unsigned version = 2;
  unsigned udp_version = 2;  ///< Of udp-over-tcp.
  bool udp_connect = false;  ///< A stream for each target of datagrams.
  bool insecure = false;
  bool reuse = true;
  bool await_answer = false;
};

/// Ends the program with a message when the command line makes no sense.
arguments parse_arguments(int count, char** values);
