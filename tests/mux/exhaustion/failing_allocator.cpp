// SPDX-License-Identifier: Apache-2.0
#include "mux/exhaustion/failing_allocator.hpp"

#include <cstdlib>
#include <new>

namespace strata::testkit::failing {

bool armed = false;

namespace {

std::size_t until_failure = 0;  // Zero: none fails.
bool stays = false;
std::size_t failures = 0;

void* take(std::size_t size) {
  if (armed && until_failure != 0 && --until_failure == 0) {
    ++failures;
    if (stays) until_failure = 1;
    throw std::bad_alloc();
  }
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void begin(std::size_t nth, bool stays_exhausted) {
  until_failure = nth;
  stays = stays_exhausted;
  failures = 0;
}

std::size_t end() {
  until_failure = 0;
  return failures;
}

}  // namespace strata::testkit::failing

using strata::testkit::failing::take;

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
