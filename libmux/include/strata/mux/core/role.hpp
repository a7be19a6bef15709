// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::mux {
inline namespace v0 {

/// Which end of the carrier this is: the client opened it. Two ends with one role do not work.
enum class role : std::uint8_t { client, server };

}  // namespace v0
}  // namespace strata::mux
