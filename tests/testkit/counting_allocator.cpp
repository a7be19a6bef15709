// SPDX-License-Identifier: Apache-2.0
#include "testkit/counting_allocator.hpp"

#include <malloc.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

thread_local std::size_t count = 0;
std::atomic<std::size_t> held = 0;
std::atomic<std::size_t> peak = 0;

void* hold(void* memory) noexcept {
  if (memory == nullptr) return memory;
  const std::size_t size = malloc_usable_size(memory);
  const std::size_t now = held.fetch_add(size) + size;
  for (std::size_t most = peak; now > most && !peak.compare_exchange_weak(most, now);) {}
  return memory;
}

void give_back(void* memory) noexcept {
  if (memory == nullptr) return;
  held -= malloc_usable_size(memory);
  std::free(memory);
}

void* take(std::size_t size) noexcept {
  ++count;
  return hold(std::malloc(size == 0 ? 1 : size));
}

void* take(std::size_t size, std::align_val_t alignment) noexcept {
  ++count;
  const auto unit = static_cast<std::size_t>(alignment);
  const std::size_t rounded = (size + unit - 1) / unit * unit;
  return hold(std::aligned_alloc(unit, rounded == 0 ? unit : rounded));
}

void* openssl_take(std::size_t size, const char*, int) noexcept { return hold(std::malloc(size)); }

void* openssl_resize(void* memory, std::size_t size, const char*, int) noexcept {
  const std::size_t before = memory == nullptr ? 0 : malloc_usable_size(memory);
  void* const moved = std::realloc(memory, size);
  if (moved == nullptr) return nullptr;
  held -= before;
  return hold(moved);
}

void openssl_give_back(void* memory, const char*, int) noexcept { give_back(memory); }

void* checked(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

namespace strata::testkit {

std::size_t allocations() noexcept { return count; }

std::size_t held_bytes() noexcept { return held; }
std::size_t peak_bytes() noexcept { return peak; }
void reset_peak() noexcept { peak = held.load(); }

bool count_openssl() noexcept {
  return CRYPTO_set_mem_functions(openssl_take, openssl_resize, openssl_give_back) == 1;
}

}  // namespace strata::testkit

void* operator new(std::size_t size) { return checked(take(size)); }
void* operator new[](std::size_t size) { return checked(take(size)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new(std::size_t size, std::align_val_t unit) { return checked(take(size, unit)); }
void* operator new[](std::size_t size, std::align_val_t unit) { return checked(take(size, unit)); }
void* operator new(std::size_t size, std::align_val_t unit, const std::nothrow_t&) noexcept {
  return take(size, unit);
}
void* operator new[](std::size_t size, std::align_val_t unit, const std::nothrow_t&) noexcept {
  return take(size, unit);
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  give_back(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  give_back(memory);
}
