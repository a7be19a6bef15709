// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/ready_list.hpp"

#include <asio/execution_context.hpp>
#include <cassert>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace strata::transport {
inline namespace v0 {
namespace detail {
namespace {

/// Free nodes kept for the next completions; a burst beyond them is given back.
constexpr std::size_t max_free_nodes = 256;

/// What handlers make ready runs in the same drain, as long as no more than so many have run behind
/// those that were ready at first: each post costs a look at the system for other events, and
/// others on this executor wait for no more than that.
constexpr std::size_t max_followers = 32;

/// Rounds of handlers after which last jobs run although handlers keep becoming ready. An exchange
/// of a small request (open, write, finish, read) makes four, and each layer below one more.
constexpr unsigned max_busy_rounds = 16;

/// Executors of one context whose queues are shared; a program with more has them apart.
constexpr std::size_t max_shared_queues = 16;

/// The queues of one execution context, so that there is one for each executor: what stands on one
/// another, TLS on TCP say, then needs one drain and not one for each.
class ready_queues final : public asio::execution_context::service {
 public:
  using key_type = ready_queues;
  static asio::execution_context::id id;

  explicit ready_queues(asio::execution_context& context) : service(context) {}

  std::shared_ptr<ready_queue> of(const asio::any_io_executor& executor) {
    std::vector<std::shared_ptr<ready_queue>> others;  // They may end here, but not under the lock.
    const std::scoped_lock lock(mutex_);
    std::erase_if(queues_, [](const auto& each) { return each.expired(); });
    for (const auto& each : queues_) {
      auto found = each.lock();
      if (found && found->executor() == executor) return found;
      others.push_back(std::move(found));
    }
    auto made = make_driver<ready_queue>(executor, executor);
    if (queues_.size() < max_shared_queues) queues_.push_back(made);
    return made;
  }

 private:
  void shutdown() noexcept override {}

  std::mutex mutex_;  // Executors of one context make theirs at the same time.
  std::vector<std::weak_ptr<ready_queue>> queues_;
};

asio::execution_context::id ready_queues::id;

}  // namespace

/// Marks the thread that drains, and posts what is left when a handler throws.
struct ready_queue::turn {
  explicit turn(ready_queue& draining) noexcept
      : queue(draining), outer(draining.owner_.load(std::memory_order_relaxed)) {
    queue.owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() {
    queue.owner_.store(outer, std::memory_order_relaxed);
    const bool is_done =
        queue.first_ == nullptr && queue.first_job_ == nullptr && queue.first_behind_ == nullptr;
    if (!is_done && !queue.posted_) queue.post_drain();
  }

  ready_queue& queue;
  std::thread::id
      outer;  // of a drain that runs further up this stack, when a handler runs the context itself
};

ready_queue::ready_queue(const asio::any_io_executor& executor)
    : executor_(executor),
      // A drain follows from what its driver just did: as a continuation it needs no lock and wakes
      // no other thread.
      posting_(asio::prefer(asio::require(executor, asio::execution::blocking.never),
                            asio::execution::relationship.continuation)) {}

ready_queue::~ready_queue() {
  clear();
  while (free_ != nullptr) delete std::exchange(free_, free_->next);
}

bool ready_queue::is_on_owner() const noexcept {
  const std::thread::id owner = owner_.load(std::memory_order_relaxed);
  return owner == std::thread::id() || owner == std::this_thread::get_id();
}

ready_node& ready_queue::acquire() {
  if (free_ == nullptr) return *new ready_node;
  --free_size_;
  return *std::exchange(free_, free_->next);
}

void ready_queue::recycle(ready_node& node) noexcept {
  if (free_size_ >= max_free_nodes) {
    delete &node;
    return;
  }
  node.next = std::exchange(free_, &node);
  ++free_size_;
}

void ready_queue::enqueue(ready_node& node) noexcept {
  node.next = nullptr;
  (first_ == nullptr ? first_ : last_->next) = &node;
  last_ = &node;
  ++size_;
}

void ready_queue::push(ready_node& node) noexcept {
  enqueue(node);
  if (!posted_) post_drain();
}

void ready_queue::push_behind(ready_node& node) noexcept {
  node.next = nullptr;
  (first_behind_ == nullptr ? first_behind_ : last_behind_->next) = &node;
  last_behind_ = &node;
  ++behind_;
  if (!posted_) post_drain();
}

ready_node& ready_queue::pop() noexcept {
  ready_node& node = *first_;
  first_ = node.next;
  --size_;
  return node;
}

void ready_queue::drain() {
  posted_ = false;
  const turn guard(*this);
  // What becomes ready meanwhile has posted a drain of its own, for what this one leaves.
  run_handlers();
  if (first_ != nullptr && busy_rounds_ < max_busy_rounds) return;
  if (run_last_jobs()) run_handlers();
}

void ready_queue::run_now() {
  if (first_ == nullptr) return;
  const turn guard(*this);
  run_handlers();
}

void ready_queue::run_handlers() {
  std::size_t followers = 0;
  do {
    for (std::size_t left = size_; left > 0 && first_ != nullptr; --left) {
      ready_node& node = pop();
      node.finish(*this, node, true);
    }
    ++busy_rounds_;
    followers += size_;
  } while (first_ != nullptr && busy_rounds_ < max_busy_rounds && followers <= max_followers);
}

void ready_queue::push_last(last_job& job, std::shared_ptr<driver> owner) noexcept {
  assert(job.owner == nullptr && "scheduled once at a time");
  if (dead_) return;
  job.owner = std::move(owner);
  job.next = nullptr;
  (first_job_ == nullptr ? first_job_ : last_job_->next) = &job;
  last_job_ = &job;
  ++jobs_;
  if (!posted_) post_drain();
}

std::shared_ptr<driver> ready_queue::pop_job() noexcept {
  last_job& job = *first_job_;
  first_job_ = job.next;
  --jobs_;
  return std::move(job.owner);
}

/// Those scheduled meanwhile wait for the next drain, and so does what a job that throws leaves.
/// Says whether what was behind them is ready now.
bool ready_queue::run_last_jobs() {
  busy_rounds_ = 0;
  const std::size_t behind = behind_;
  for (std::size_t left = jobs_; left > 0 && first_job_ != nullptr; --left) {
    const auto run = first_job_->run;
    const auto owner = pop_job();
    run(*owner);
  }
  release_behind(behind);
  return behind != 0;
}

/// Those behind jobs that are scheduled meanwhile wait for these.
void ready_queue::release_behind(std::size_t count) noexcept {
  for (; count > 0; --count) {
    ready_node& node = *first_behind_;
    first_behind_ = node.next;
    --behind_;
    enqueue(node);
  }
}

void ready_queue::post_drain() noexcept {
  if (dead_) return;
  posted_ = true;
  try {
    posting_.execute(
        [self = std::static_pointer_cast<ready_queue>(shared_from_this())] { self->drain(); });
  } catch (...) {
    posted_ = false;  // Out of memory: the next completion posts it again.
  }
}

void ready_queue::clear() noexcept {
  release_behind(behind_);
  while (first_ != nullptr) {
    ready_node& node = pop();
    node.finish(*this, node, false);
  }
  while (first_job_ != nullptr) pop_job();
}

void ready_queue::shutdown() noexcept {
  dead_ = true;
  executor_ = {};
  posting_ = {};
  clear();
}

}  // namespace detail

ready_list::ready_list(const asio::any_io_executor& executor)
    : queue_(
          asio::use_service<detail::ready_queues>(asio::query(executor, asio::execution::context))
              .of(executor)) {}

}  // namespace v0
}  // namespace strata::transport
