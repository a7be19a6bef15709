// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::bench {

/// Calls of malloc and its like in this process so far, the TLS library's included; zero in builds
/// with a sanitizer, which has replaced them already.
std::uint64_t allocations() noexcept;

/// Bytes that the heap holds for the program now, its own bookkeeping included.
std::uint64_t heap_bytes() noexcept;

}  // namespace strata::bench
