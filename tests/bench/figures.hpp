// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "strata/quic/core/connection.hpp"

namespace strata::bench {

/// What connections of this process did, in sum; one that is open counts only as a connection.
struct totals {
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_lost = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t batches_sent = 0;
  std::uint64_t connections = 0;
  std::uint64_t closed = 0;
  std::uint64_t steady_packets = 0;      ///< Sent and received in the later part of a transfer.
  std::uint64_t steady_allocations = 0;  ///< Made in that part.

  void ended(const quic::core::connection_statistics& counted);
};

/// Remembers where the steady part of a transfer began: after its first half, when windows and what
/// grows with them have their size.
class steady_part {
 public:
  explicit steady_part(std::uint64_t bytes) noexcept : begins_(bytes / 2) {}
  /// `done` bytes have passed; `counted` is asked for at most once.
  void passed(std::uint64_t done, const quic::core::connection_statistics& counted) noexcept;
  void ended(const quic::core::connection_statistics& counted, totals& out) const noexcept;

 private:
  std::uint64_t begins_;
  bool begun_ = false;
  std::uint64_t packets_ = 0;
  std::uint64_t allocations_ = 0;
};

/// Members of one line of JSON.
class figures {
 public:
  figures& add(const char* name, double value);
  figures& add(const char* name, std::uint64_t value);
  /// With what this process has used so far.
  void print(const totals&);

 private:
  std::string text_;
};

}  // namespace strata::bench
