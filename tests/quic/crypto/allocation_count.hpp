// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace strata::quic::tests {

/// Allocations of this program so far, by operator new and by the TLS library.
std::size_t allocations() noexcept;
/// False when the TLS library had allocated before it could be told to count.
bool counts_tls_library() noexcept;

}  // namespace strata::quic::tests
