// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::h3 {
inline namespace v0 {

/// Which end of the connection this is.
enum class role : std::uint8_t { client, server };

}  // namespace v0
}  // namespace strata::h3
