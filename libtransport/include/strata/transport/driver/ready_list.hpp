// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/append.hpp>
#include <asio/post.hpp>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <memory>
#include <new>
#include <thread>
#include <tuple>
#include <utility>

#include "strata/transport/completion.hpp"
#include "strata/transport/driver/driver_registry.hpp"

namespace strata::transport {
inline namespace v0 {

/// What a driver does after the handlers, such as its flush: a member of the driver, so that
/// scheduling it cannot fail. Scheduled once at a time.
struct last_job {
  void (*run)(driver&) = nullptr;
  last_job* next = nullptr;
  std::shared_ptr<driver> owner = {};
};

namespace detail {

class ready_queue;

/// One handler that is ready to run, with its arguments. Nodes are recycled.
struct ready_node {
  /// Enough for a handler and seven words of arguments, such as an error code, a count and an
  /// address.
  static constexpr std::size_t capacity = 72;

  ready_node* next = nullptr;
  void (*finish)(ready_queue&, ready_node&, bool invoke) = nullptr;
  alignas(void*) std::byte storage[capacity];
};

/// What copies of a ready_list share, and what the posted drain keeps alive.
class STRATA_TRANSPORT_API ready_queue final : public driver {
 public:
  explicit ready_queue(const asio::any_io_executor& executor);
  ~ready_queue() override;

  const asio::any_io_executor& executor() const noexcept { return executor_; }
  bool is_on_owner() const noexcept;
  ready_node& acquire();
  void recycle(ready_node& node) noexcept;
  void push(ready_node& node) noexcept;
  void push_behind(ready_node& node) noexcept;
  void push_last(last_job& job, std::shared_ptr<driver> owner) noexcept;
  void drain();
  void run_now();

 private:
  struct turn;
  void shutdown() noexcept override;
  void enqueue(ready_node& node) noexcept;
  void post_drain() noexcept;
  ready_node& pop() noexcept;
  std::shared_ptr<driver> pop_job() noexcept;
  bool run_last_jobs();
  void release_behind(std::size_t count) noexcept;
  void run_handlers();
  void clear() noexcept;

  asio::any_io_executor executor_;
  asio::any_io_executor posting_;
  ready_node* first_ = nullptr;
  ready_node* last_ = nullptr;
  std::size_t size_ = 0;
  ready_node* first_behind_ = nullptr;
  ready_node* last_behind_ = nullptr;
  std::size_t behind_ = 0;
  ready_node* free_ = nullptr;
  std::size_t free_size_ = 0;
  last_job* first_job_ = nullptr;
  last_job* last_job_ = nullptr;
  std::size_t jobs_ = 0;
  unsigned busy_rounds_ = 0;
  bool posted_ = false;
  bool dead_ = false;
  std::atomic<std::thread::id> owner_{};
};

template <class Signature, class... Args>
struct ready_entry {
  asio::any_completion_handler<Signature> handler;
  std::tuple<Args...> args;

  /// Leaves the node reusable before the handler runs, which may complete further operations.
  static void finish(ready_queue& queue, ready_node& node, bool invoke) {
    auto* const stored = std::launder(reinterpret_cast<ready_entry*>(node.storage));
    ready_entry entry(std::move(*stored));
    stored->~ready_entry();
    queue.recycle(node);
    if (invoke) std::apply(std::move(entry.handler), std::move(entry.args));
  }
};

}  // namespace detail

/// How drivers complete operations: the only way they call an application. One per serial executor;
/// copies share it.
///
/// Handlers of that executor are kept in a list and run by one posted drain: no allocation in
/// steady state, and a handler never runs inside the function that started or served its operation.
/// What they make ready runs in the same drain, for a bounded number of handlers.
/// If one throws, the exception leaves the context's run(), and the rest is posted again. Handlers
/// of other executors are posted there.
///
/// A driver's functions, complete (driver_registry.hpp shows the class around them):
///
///     void echo_driver::wait(completion<status_signature> waiting) {
///       if (dead_) return;                          // inert: the handler is destroyed
///       assert(ready_.is_on_owner() && !waiting_);  // one at a time
///       // What is so already is completed at once, yet not inline.
///       if (done_) return ready_.complete(std::move(waiting), std::error_code());
///       waiting_.start(std::move(waiting), [weak = weak_from_this()] {  // its slot was signalled
///         if (const auto self = std::static_pointer_cast<echo_driver>(weak.lock())) self->abort();
///       });
///     }
///     void echo_driver::abort() {
///       if (waiting_) ready_.complete(waiting_.take(), make_error_code(errc::aborted));
///     }
///     void echo_driver::serve() {  // in a turn, after the core's events
///       if (waiting_ && done_) ready_.complete(waiting_.take(), std::error_code());
///     }
///
/// A front (a handle's public template) initiates with make_completion. It captures driver and id,
/// never the handle, because a deferred operation may start after the handle has moved; what has a
/// get_executor() can be given to with_timeout:
///
///     template <asio::completion_token_for<status_signature> Token = asio::deferred_t>
///     auto async_wait(Token&& token = Token()) {
///       return asio::async_initiate<Token, status_signature>(initiate_wait{driver_, id_}, token);
///     }
///     struct initiate_wait {
///       std::shared_ptr<echo_driver> driver;
///       std::uint64_t id;
///       asio::any_io_executor get_executor() const noexcept { return driver->executor(); }
///       template <class Handler>
///       void operator()(Handler&& handler) const {
///         driver->wait(id, make_completion<status_signature>(std::forward<Handler>(handler),
///                                                            driver->executor()));
///       }
///     };
///
/// A class that derives from transport::stream has its front already: it implements the do_*
/// functions by calling its driver (memory_stream.cpp is the shortest).
class STRATA_TRANSPORT_API ready_list {
 public:
  explicit ready_list(const asio::any_io_executor& executor);

  /// The serial executor; empty once its context is gone.
  const asio::any_io_executor& executor() const noexcept { return queue_->executor(); }

  /// False when another thread is draining this list right now, so the caller is not on the serial
  /// executor. For asserts.
  bool is_on_owner() const noexcept { return queue_->is_on_owner(); }

  /// Lets `waiting` run with `args` after the caller has returned. Clear its cancellation slot
  /// before (pending_operation::take does). On a dead context the handler is destroyed.
  template <class Signature, class... Args>
  void complete(completion<Signature> waiting, Args... args) {
    assert(waiting.handler);
    if (!executor()) return;
    if (waiting.elsewhere) {
      asio::post(executor(), asio::append(std::move(waiting.handler), std::move(args)...));
      return;
    }
    queue_->push(make_node(std::move(waiting), std::move(args)...));
  }

  /// As complete(), but behind the last jobs that are scheduled by the time they run: for what may
  /// be believed only when the flush has been, because its handler may stop the context.
  template <class Signature, class... Args>
  void complete_behind(completion<Signature> waiting, Args... args) {
    assert(waiting.handler);
    if (!executor()) return;
    if (waiting.elsewhere) {
      waiting.handler = [there = executor(),
                         handler = std::move(waiting.handler)](Args... these) mutable {
        asio::post(there, asio::append(std::move(handler), std::move(these)...));
      };
    }
    queue_->push_behind(make_node(std::move(waiting), std::move(args)...));
  }

  /// The last thing that a driver does in a handler of its own that the context has called: what is
  /// ready runs now, without a post. Last jobs wait for theirs.
  void run_now() { queue_->run_now(); }

  /// Runs `job` when no handler is ready any more, or after a bounded number of rounds: so that
  /// what handlers ask for one after the other goes out in one write. Never inside this call; not
  /// at all once the context is gone. `owner`, which holds the job, lives until then.
  void run_last(last_job& job, std::shared_ptr<driver> owner) noexcept {
    queue_->push_last(job, std::move(owner));
  }

 private:
  template <class Signature, class... Args>
  detail::ready_node& make_node(completion<Signature> waiting, Args... args) {
    using entry = detail::ready_entry<Signature, Args...>;
    static_assert(sizeof(entry) <= detail::ready_node::capacity,
                  "complete with something smaller, a unique_ptr for example");
    static_assert(alignof(entry) <= alignof(void*));
    detail::ready_node& node = queue_->acquire();
    new (node.storage) entry{std::move(waiting.handler), std::tuple<Args...>(std::move(args)...)};
    node.finish = &entry::finish;
    return node;
  }

  std::shared_ptr<detail::ready_queue> queue_;
};

}  // namespace v0
}  // namespace strata::transport
