// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <system_error>

namespace strata::transport {
inline namespace v0 {

/// What an operation that can fail returns in the cores; drivers hand the same std::error_code to
/// the completion handler.
template <class T>
using result = std::expected<T, std::error_code>;

}  // namespace v0
}  // namespace strata::transport
