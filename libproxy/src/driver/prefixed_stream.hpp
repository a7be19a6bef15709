// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "strata/transport/stream.hpp"

namespace strata::proxy {
inline namespace v0 {

/// `inner`, as if these bytes came first: what was read behind the end of a handshake. Without any
/// it is `inner` itself.
std::unique_ptr<transport::stream> with_prefix(std::unique_ptr<transport::stream> inner,
                                               std::vector<std::byte> prefix);

}  // namespace v0
}  // namespace strata::proxy
