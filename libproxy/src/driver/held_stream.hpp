// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/stream.hpp"

namespace strata::proxy {
inline namespace v0 {

/// `inner`, whose peer takes the end of one direction for that of both: this side's end is held
/// back until the peer's has been read, or nothing has come for as long as `hold`, or the handle
/// goes. `held` lives as long as the stream.
std::unique_ptr<transport::stream> with_held_finish(std::unique_ptr<transport::stream> inner,
                                                    transport::duration hold,
                                                    std::shared_ptr<void> held);

}  // namespace v0
}  // namespace strata::proxy
