// SPDX-License-Identifier: Apache-2.0
#include "bench/allocation_count.hpp"

#include <malloc.h>

#include <atomic>
#include <cstddef>

// There when the address sanitizer has replaced the heap.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes() __attribute__((weak));

namespace {

std::atomic<std::uint64_t> count{0};

}  // namespace

namespace strata::bench {

std::uint64_t allocations() noexcept { return count.load(std::memory_order_relaxed); }

std::uint64_t heap_bytes() noexcept {
  if (__sanitizer_get_current_allocated_bytes != nullptr)
    return __sanitizer_get_current_allocated_bytes();
  const struct mallinfo2 now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

}  // namespace strata::bench

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// glibc lets a program define these and keeps its own under the second name.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t unit, std::size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(unit, size);
}
}
#endif
