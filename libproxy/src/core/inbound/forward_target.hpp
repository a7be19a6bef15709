// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// Where a request with an absolute target goes; nothing, and a static text in `problem`, for one
/// that is not fetched.
std::optional<transport::target> target_of_forward(const transport::http1_target& named,
                                                   transport::http1_problem& problem);

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
