// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace strata::testkit {

/// Calls of the global operator new on this thread since it began, in every form: throwing,
/// nothrow, aligned. A program that links strata_testkit_counting has its global operators
/// replaced, which is why this is a library of its own.
std::size_t allocations() noexcept;

/// Bytes that are allocated now by those calls and by OpenSSL, of every thread, as the allocator
/// rounds them. OpenSSL's are counted once count_openssl() has returned true; it must come before
/// the first call of OpenSSL in the program.
std::size_t held_bytes() noexcept;
/// The most of those there have been since reset_peak().
std::size_t peak_bytes() noexcept;
void reset_peak() noexcept;
bool count_openssl() noexcept;

}  // namespace strata::testkit
