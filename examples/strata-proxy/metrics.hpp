// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "service.hpp"

/// All figures, for Prometheus.
std::string metrics_of(const service& of, bool is_ready, std::chrono::seconds uptime);
