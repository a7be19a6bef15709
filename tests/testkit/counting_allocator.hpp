// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace strata::testkit {

/// Calls of the global operator new on this thread since it began, in every form: throwing,
/// nothrow, aligned. A program that links strata_testkit_counting has its global operators
/// replaced, which is why this is a library of its own.
std::size_t allocations() noexcept;

}  // namespace strata::testkit
