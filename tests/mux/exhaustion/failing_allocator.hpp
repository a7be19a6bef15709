// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// The global operator new of a program, which fails when it is told to.
namespace strata::testkit::failing {

/// While true allocations are counted, and may fail.
extern bool armed;

/// The `nth` from now on fails, and all after it if `stays_exhausted`.
void begin(std::size_t nth, bool stays_exhausted);
/// None fails any more. How many have.
std::size_t end();

}  // namespace strata::testkit::failing
