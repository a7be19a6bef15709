// SPDX-License-Identifier: Apache-2.0
// Joins two streams: what proxies and forwarders do once both ends are there.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "strata/transport/driver/page_pool.hpp"
#include "strata/transport/stream.hpp"

namespace relay {

inline constexpr std::chrono::seconds for_ever{0};

struct options {
  /// How long one direction may stay silent after the other has ended.
  std::chrono::seconds half_closed{30};
  /// Kept until both directions have ended.
  std::shared_ptr<void> held = nullptr;
};

/// Pages of this size are borrowed while there is something to carry; so few are kept for the next.
inline constexpr std::size_t page_size = 128 * 1024;
inline constexpr std::size_t kept_pages = 4;

/// Carries bytes between the two, which run on one executor, until both directions have ended. An
/// end in order is handed on and the other direction goes on; anything else resets both.
void join(std::unique_ptr<strata::transport::stream> one,
          std::unique_ptr<strata::transport::stream> other, strata::transport::page_pool pages,
          const options& how = {});

}  // namespace relay
