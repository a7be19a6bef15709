// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "strata/transport/core/error.hpp"

namespace strata::testkit {

inline std::string message_of(transport::errc code) { return make_error_code(code).message(); }

}  // namespace strata::testkit
