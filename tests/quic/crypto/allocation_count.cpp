// SPDX-License-Identifier: Apache-2.0
#include "allocation_count.hpp"

#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> total{0};

void* counted_malloc(std::size_t size, const char*, int) {
  ++total;
  return std::malloc(size);
}

void* counted_realloc(void* old, std::size_t size, const char*, int) {
  ++total;
  return std::realloc(old, size);
}

void counted_free(void* old, const char*, int) { std::free(old); }

const bool counting = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) == 1;

}  // namespace

void* operator new(std::size_t size) {
  ++total;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace strata::quic::tests {

std::size_t allocations() noexcept { return total; }
bool counts_tls_library() noexcept { return counting; }

}  // namespace strata::quic::tests
