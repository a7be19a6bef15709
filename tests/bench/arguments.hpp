// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace strata::bench {

/// What the command line asks for; every mode takes its part of it. The defaults are those of the
/// programs in peers/.
struct arguments {
  std::string mode;
  std::string cert;
  std::string key;
  std::string connect;
  std::string group = "X25519";
  std::uint16_t datagram = 1452;
  std::uint64_t window = 16 * 1024 * 1024;
  std::size_t socket_buffer = 4 * 1024 * 1024;
  std::uint64_t bytes = 1024 * 1024;
  std::size_t count = 1000;
  std::size_t parallel = 1;
  std::size_t connections = 1;
  std::size_t segments = 44;
  // Only ours: how the application uses the library.
  bool borrowed = false;                 ///< The server sends from its own memory.
  std::size_t read_size = 256 * 1024;    ///< What a client reads into.
  bool peek = true;                      ///< Streams of yamux are read where their bytes lie.
  std::uint64_t watermark = 128 * 1024;  ///< connection_config::write_watermark.
  std::chrono::nanoseconds time{std::chrono::seconds(1)};
};

/// Throws std::invalid_argument with a sentence for the user.
arguments parse_arguments(int count, const char* const* words);

}  // namespace strata::bench
