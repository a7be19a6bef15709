// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "strata/transport/driver/page_pool.hpp"
#include "strata/transport/stream.hpp"

struct relay_ends {
  std::unique_ptr<strata::transport::stream> one;
  std::unique_ptr<strata::transport::stream> other;
  std::shared_ptr<void> ticket;  ///< Of whoever let it in.
};

/// Copies in both directions until both have ended. An end in order is passed on while the other
/// direction goes on; any other end of either stream resets both.
void start_relay(relay_ends ends, const strata::transport::page_pool& pages);

/// A line for whoever runs the program.
void say(const std::string& text);
