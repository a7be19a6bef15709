// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/cancellation_signal.hpp>
#include <cstddef>
#include <memory>
#include <system_error>
#include <vector>

#include "strata/transport/native_socket.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

/// The two ends of a pipe that is empty whenever nobody holds it.
class splice_pipe {
 public:
  /// Null where the system has no splice, or no descriptors left.
  static std::unique_ptr<splice_pipe> open();
  splice_pipe(int read_end, int write_end) noexcept : read_end_(read_end), write_end_(write_end) {}
  splice_pipe(const splice_pipe&) = delete;
  splice_pipe& operator=(const splice_pipe&) = delete;
  ~splice_pipe();

  struct outcome {
    std::size_t count = 0;
    bool would_wait = false;
    std::error_code error{};
  };
  /// Moves what the socket has into the pipe; a count of zero without more is its end.
  outcome fill(const native_socket& from);
  /// Moves what is in the pipe out. A peer that is gone is an error, and no SIGPIPE.
  outcome drain(const native_socket& to);
  std::size_t held() const noexcept { return held_; }

 private:
  int read_end_;
  int write_end_;
  std::size_t held_ = 0;
};

/// Pipes that were used, for the next who need one.
class pipe_stack {
 public:
  explicit pipe_stack(std::size_t kept) : kept_(kept) {}
  std::unique_ptr<splice_pipe> borrow() {
    if (free_.empty()) return splice_pipe::open();
    auto out = std::move(free_.back());
    free_.pop_back();
    return out;
  }
  /// One that still holds bytes is closed.
  void give_back(std::unique_ptr<splice_pipe> pipe) {
    if (pipe && pipe->held() == 0 && free_.size() < kept_) free_.push_back(std::move(pipe));
  }

 private:
  std::size_t kept_;
  std::vector<std::unique_ptr<splice_pipe>> free_;
};

/// Until the socket takes bytes again, has failed, or `stop` is signalled: resetting its stream
/// does not end this.
asio::awaitable<std::error_code> async_wait_writable(native_socket to,
                                                     asio::any_io_executor executor,
                                                     asio::cancellation_slot stop);

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
