// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/memory_connection.hpp"

#include <algorithm>
#include <array>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Both ends of a connection: one object, so that nothing has to be sent.
class memory_ends final : public driver {
 public:
  using side = std::size_t;  // 0 or 1

  memory_ends(const ready_list& ready, const memory_connection_options& options)
      : ready_(ready), options_(options) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }

  void open(side from, completion<stream_signature> waiting);
  void accept(side at, completion<stream_signature> waiting);
  void wait_closed(side at, completion<closed_signature> waiting);
  void shut_down(side at, duration deadline, std::uint64_t code,
                 completion<status_signature> waiting);
  void close(side at, std::uint64_t code, std::string_view reason);
  std::optional<close_reason> closed(side at) const { return ends_[at].reason; }
  void abandon(side at);

 private:
  struct open_wait {
    std::uint64_t number = 0;
    pending_operation<stream_signature> waiting;
  };
  struct end {
    std::deque<open_wait> opening;
    std::deque<std::unique_ptr<stream>> arrived;
    pending_operation<stream_signature> accepting;
    pending_operation<closed_signature> waiting_closed;
    pending_operation<status_signature> shutting_down;
    std::unique_ptr<asio::steady_timer> deadline;
    std::uint64_t shutdown_code = 0;
    std::optional<close_reason> reason;
    bool held = true;
    std::size_t streams = 0;  ///< That have a handle, or wait for accept.
  };

  void shutdown() noexcept override;
  void serve(side from);
  void end_all(side at);
  void settle_shutdown(side at, std::error_code error);
  void on_stream_gone();
  std::shared_ptr<void> counted(side at);

  ready_list ready_;
  memory_connection_options options_;
  std::array<end, 2> ends_;
  std::vector<std::pair<side, memory_link>> links_;  ///< And who opened it.
  std::uint64_t next_number_ = 0;
  bool dead_ = false;
};

void memory_ends::shutdown() noexcept {
  dead_ = true;
  auto ends = std::move(ends_);
  links_.clear();
}

void memory_ends::open(side from, completion<stream_signature> waiting) {
  if (dead_) return;
  end& mine = ends_[from];
  if (mine.reason)
    return ready_.complete(std::move(waiting), mine.reason->cause, std::unique_ptr<stream>());
  if (mine.shutting_down)
    return ready_.complete(std::move(waiting), make_error_code(errc::refused),
                           std::unique_ptr<stream>());
  open_wait& one = mine.opening.emplace_back();
  one.number = next_number_++;
  one.waiting.start(std::move(waiting), [weak = weak_from_this(), from, number = one.number] {
    const auto ends = std::static_pointer_cast<memory_ends>(weak.lock());
    if (!ends) return;
    auto& opening = ends->ends_[from].opening;
    const auto found = std::ranges::find(opening, number, &open_wait::number);
    if (found == opening.end()) return;
    ends->ready_.complete(found->waiting.take(), make_error_code(errc::aborted),
                          std::unique_ptr<stream>());
    opening.erase(found);
  });
  serve(from);
}

void memory_ends::serve(side from) {
  end& mine = ends_[from];
  end& peer = ends_[1 - from];
  while (!mine.opening.empty() && peer.arrived.size() < options_.backlog) {
    memory_stream_options of_streams = options_.streams;
    of_streams.held = {counted(from), counted(1 - from)};
    auto pair = make_memory_streams(ready_.executor(), of_streams);
    links_.push_back({from, pair.link});
    ready_.complete(mine.opening.front().waiting.take(), std::error_code(), std::move(pair.first));
    mine.opening.pop_front();
    peer.arrived.push_back(std::move(pair.second));
  }
  if (!peer.accepting || peer.arrived.empty()) return;
  ready_.complete(peer.accepting.take(), std::error_code(), std::move(peer.arrived.front()));
  peer.arrived.pop_front();
}

/// A stream of that end: what it holds of the connection.
std::shared_ptr<void> memory_ends::counted(side at) {
  ++ends_[at].streams;
  return {nullptr, [weak = weak_from_this(), at](void*) {
            const auto ends = std::static_pointer_cast<memory_ends>(weak.lock());
            if (!ends || ends->dead_) return;
            --ends->ends_[at].streams;
            ends->on_stream_gone();
          }};
}

void memory_ends::accept(side at, completion<stream_signature> waiting) {
  if (dead_) return;
  end& mine = ends_[at];
  if (mine.arrived.empty() && mine.reason)
    return ready_.complete(std::move(waiting), mine.reason->cause, std::unique_ptr<stream>());
  mine.accepting.start(std::move(waiting), [weak = weak_from_this(), at] {
    const auto ends = std::static_pointer_cast<memory_ends>(weak.lock());
    if (ends && ends->ends_[at].accepting)
      ends->ready_.complete(ends->ends_[at].accepting.take(), make_error_code(errc::aborted),
                            std::unique_ptr<stream>());
  });
  serve(1 - at);
}

void memory_ends::wait_closed(side at, completion<closed_signature> waiting) {
  if (dead_) return;
  end& mine = ends_[at];
  if (mine.reason)
    return ready_.complete(std::move(waiting), std::error_code(),
                           std::make_unique<close_reason>(*mine.reason));
  mine.waiting_closed.start(std::move(waiting), [weak = weak_from_this(), at] {
    const auto ends = std::static_pointer_cast<memory_ends>(weak.lock());
    if (ends && ends->ends_[at].waiting_closed)
      ends->ready_.complete(ends->ends_[at].waiting_closed.take(), make_error_code(errc::aborted),
                            std::make_unique<close_reason>());
  });
}

void memory_ends::shut_down(side at, duration deadline, std::uint64_t code,
                            completion<status_signature> waiting) {
  if (dead_) return;
  end& mine = ends_[at];
  if (mine.reason) return ready_.complete(std::move(waiting), std::error_code());
  mine.shutdown_code = code;
  mine.shutting_down.start(std::move(waiting), [weak = weak_from_this(), at] {
    if (const auto ends = std::static_pointer_cast<memory_ends>(weak.lock()))
      ends->settle_shutdown(at, make_error_code(errc::aborted));
  });
  mine.deadline = std::make_unique<asio::steady_timer>(ready_.executor(), deadline);
  mine.deadline->async_wait([weak = weak_from_this(), at](std::error_code error) {
    const auto ends = std::static_pointer_cast<memory_ends>(weak.lock());
    if (error || !ends || ends->dead_ || !ends->ends_[at].shutting_down) return;
    ends->settle_shutdown(at, make_error_code(errc::timed_out));
    ends->close(at, ends->ends_[at].shutdown_code, {});
  });
  on_stream_gone();
}

void memory_ends::settle_shutdown(side at, std::error_code error) {
  end& mine = ends_[at];
  if (mine.shutting_down) ready_.complete(mine.shutting_down.take(), error);
  mine.deadline.reset();
}

void memory_ends::on_stream_gone() {
  if (dead_) return;
  for (const side at : {side{0}, side{1}}) {
    end& mine = ends_[at];
    if (mine.streams != 0 || mine.reason) continue;
    if (mine.shutting_down) {
      settle_shutdown(at, {});
      close(at, mine.shutdown_code, {});
    } else if (!mine.held) {
      close(at, 0, {});
    }
  }
}

void memory_ends::close(side at, std::uint64_t code, std::string_view reason) {
  using kind = close_reason::origin_kind;
  if (dead_ || ends_[at].reason) return;
  close_reason here{
      .origin = kind::local_application, .code = code, .cause = make_error_code(errc::closed)};
  here.reason = reason;
  close_reason there = here;
  there.origin = kind::peer_application;
  there.cause = make_error_code(errc::closed_by_peer);
  ends_[at].reason = std::move(here);
  if (!ends_[1 - at].reason) ends_[1 - at].reason = std::move(there);
  const auto links = std::move(links_);
  links_.clear();
  for (auto [opener, link] : links)
    link.cut(ends_[opener].reason->cause, ends_[1 - opener].reason->cause);
  end_all(at);
  end_all(1 - at);
}

void memory_ends::end_all(side at) {
  end& mine = ends_[at];
  const std::error_code cause = mine.reason->cause;
  for (open_wait& one : mine.opening)
    ready_.complete(one.waiting.take(), cause, std::unique_ptr<stream>());
  mine.opening.clear();
  if (mine.accepting) ready_.complete(mine.accepting.take(), cause, std::unique_ptr<stream>());
  if (mine.waiting_closed)
    ready_.complete(mine.waiting_closed.take(), std::error_code(),
                    std::make_unique<close_reason>(*mine.reason));
  const bool by_us = mine.reason->origin == close_reason::origin_kind::local_application;
  settle_shutdown(at, by_us ? std::error_code() : cause);
}

void memory_ends::abandon(side at) {
  if (dead_) return;
  end& mine = ends_[at];
  mine.held = false;
  const auto aborted = make_error_code(errc::aborted);
  for (open_wait& one : mine.opening)
    ready_.complete(one.waiting.take(), aborted, std::unique_ptr<stream>());
  mine.opening.clear();
  if (mine.accepting) ready_.complete(mine.accepting.take(), aborted, std::unique_ptr<stream>());
  if (mine.waiting_closed)
    ready_.complete(mine.waiting_closed.take(), aborted, std::make_unique<close_reason>());
  settle_shutdown(at, aborted);
  const auto nobodys = std::move(mine.arrived);
  mine.arrived.clear();
  on_stream_gone();
}

class memory_connection final : public connection {
 public:
  memory_connection(std::shared_ptr<memory_ends> ends, std::size_t at) noexcept
      : ends_(std::move(ends)), at_(at) {}
  ~memory_connection() override { ends_->abandon(at_); }

  void close(std::uint64_t code, std::string_view reason) override {
    ends_->close(at_, code, reason);
  }
  std::optional<close_reason> closed() const override { return ends_->closed(at_); }

 private:
  asio::any_io_executor do_executor() noexcept override { return ends_->executor(); }
  void do_open_stream(completion<stream_signature> waiting) override {
    ends_->open(at_, std::move(waiting));
  }
  void do_accept_stream(completion<stream_signature> waiting) override {
    ends_->accept(at_, std::move(waiting));
  }
  void do_wait_closed(completion<closed_signature> waiting) override {
    ends_->wait_closed(at_, std::move(waiting));
  }
  void do_confirmed(completion<status_signature> waiting) override {
    ready_list(ends_->executor()).complete(std::move(waiting), std::error_code());
  }
  void do_shutdown(duration deadline, std::uint64_t code,
                   completion<status_signature> waiting) override {
    ends_->shut_down(at_, deadline, code, std::move(waiting));
  }

  std::shared_ptr<memory_ends> ends_;
  std::size_t at_;
};

}  // namespace

memory_connection_pair make_memory_connections(const asio::any_io_executor& executor,
                                               const memory_connection_options& options) {
  const ready_list ready(executor);
  const auto ends = make_driver<memory_ends>(executor, ready, options);
  return {std::make_unique<memory_connection>(ends, 0),
          std::make_unique<memory_connection>(ends, 1)};
}

}  // namespace v0
}  // namespace strata::transport
