// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "strata/transport/core/clock.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

inline transport::time_point clock_now() noexcept { return std::chrono::steady_clock::now(); }

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
