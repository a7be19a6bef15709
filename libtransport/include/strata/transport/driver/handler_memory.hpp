// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace strata::transport {
inline namespace v0 {

/// Room for the operation that a driver waits on again and again, one at a time: Asio takes its
/// memory from the handler's associated allocator, and this one never asks the heap for it. A
/// second operation at the same time, or a large one, does.
///
/// The room lives as long as the last allocator: who drops a handler may destroy the driver that it
/// holds, and only then give the memory back. Use is sequential, as is that of a driver.
class handler_memory {
 public:
  handler_memory() : room_(std::make_shared<state>()) {}
  handler_memory(const handler_memory&) = delete;
  handler_memory& operator=(const handler_memory&) = delete;

  static constexpr std::size_t room = 256;  ///< A reactor's wait with a small handler takes 150.

 private:
  template <class T>
  friend class handler_allocator;
  struct state {
    /// Throws std::bad_alloc.
    void* take(std::size_t size) {
      if (taken || size > room) return ::operator new(size);
      taken = true;
      return place;
    }
    void give_back(void* memory) noexcept {
      if (memory != place) return ::operator delete(memory);
      taken = false;
    }
    alignas(std::max_align_t) std::byte place[room];
    bool taken = false;
  };
  std::shared_ptr<state> room_;
};

/// For asio::bind_allocator().
template <class T>
class handler_allocator {
 public:
  using value_type = T;

  explicit handler_allocator(const handler_memory& memory) noexcept : memory_(memory.room_) {}
  template <class U>
  handler_allocator(const handler_allocator<U>& other) noexcept : memory_(other.memory_) {}

  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= alignof(std::max_align_t));
    return static_cast<T*>(memory_->take(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t) noexcept { memory_->give_back(memory); }

  template <class U>
  friend bool operator==(const handler_allocator& a, const handler_allocator<U>& b) noexcept {
    return a.memory_ == b.memory_;
  }

 private:
  template <class U>
  friend class handler_allocator;
  std::shared_ptr<handler_memory::state> memory_;
};

}  // namespace v0
}  // namespace strata::transport
