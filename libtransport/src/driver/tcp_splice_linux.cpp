// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <utility>

#include "driver/native_socket_access.hpp"
#include "driver/tcp_splice.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {
namespace {

/// What one call moves, and a pipe holds where the system allows so much.
constexpr std::size_t wanted_capacity = std::size_t{1} << 20;

/// splice knows no MSG_NOSIGNAL, and a library must not end its program: SIGPIPE is held back in
/// this thread, and taken if it came.
class without_sigpipe {
 public:
  without_sigpipe() noexcept {
    struct sigaction set{};
    if (::sigaction(SIGPIPE, nullptr, &set) == 0 && set.sa_handler == SIG_IGN) return;
    sigset_t pending;
    ::sigpending(&pending);
    if (::sigismember(&pending, SIGPIPE) == 1) return;  // it is held back already
    ::sigemptyset(&only_);
    ::sigaddset(&only_, SIGPIPE);
    active_ = ::pthread_sigmask(SIG_BLOCK, &only_, &before_) == 0;
  }
  without_sigpipe(const without_sigpipe&) = delete;
  without_sigpipe& operator=(const without_sigpipe&) = delete;
  ~without_sigpipe() {
    if (!active_) return;
    const timespec at_once{};
    while (came_ && ::sigtimedwait(&only_, nullptr, &at_once) == -1 && errno == EINTR) {}
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  void came() noexcept { came_ = true; }

 private:
  sigset_t only_{};
  sigset_t before_{};
  bool active_ = false;
  bool came_ = false;
};

splice_pipe::outcome outcome_of(ssize_t count) {
  if (count >= 0) return {.count = static_cast<std::size_t>(count)};
  if (errno == EAGAIN || errno == EINTR) return {.would_wait = true};
  return {.error = std::error_code(errno, std::system_category())};
}

ssize_t move_between(int from, int to, std::size_t size) {
  return ::splice(from, nullptr, to, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

}  // namespace

std::unique_ptr<splice_pipe> splice_pipe::open() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return nullptr;
  // Unprivileged processes have a bound for all their pipes together: then it stays as it was.
  ::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(wanted_capacity));
  return std::make_unique<splice_pipe>(ends[0], ends[1]);
}

splice_pipe::~splice_pipe() {
  ::close(read_end_);
  ::close(write_end_);
}

splice_pipe::outcome splice_pipe::fill(const native_socket& from) {
  const outcome now =
      outcome_of(move_between(native_socket_access::of(from), write_end_, wanted_capacity));
  held_ += now.count;
  return now;
}

splice_pipe::outcome splice_pipe::drain(const native_socket& to) {
  without_sigpipe held_back;
  const outcome now = outcome_of(move_between(read_end_, native_socket_access::of(to), held_));
  if (now.error == std::errc::broken_pipe) held_back.came();
  held_ -= now.count;
  return now;
}

asio::awaitable<std::error_code> async_wait_writable(native_socket to,
                                                     asio::any_io_executor executor,
                                                     asio::cancellation_slot stop) {
  // A descriptor of its own, since the socket's is the reactor's through its owner.
  const int copy = ::fcntl(native_socket_access::of(to), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) co_return std::error_code(errno, std::system_category());
  asio::posix::stream_descriptor waiting(executor, copy);
  const auto quietly = asio::as_tuple(asio::use_awaitable);
  auto token = asio::bind_cancellation_slot(stop, quietly);
  const auto [error] =
      co_await waiting.async_wait(asio::posix::descriptor_base::wait_write, std::move(token));
  stop.clear();
  co_return error;
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
