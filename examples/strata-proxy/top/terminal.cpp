// SPDX-License-Identifier: Apache-2.0
#include "top/terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace top {
namespace {

/// Another screen, no cursor, and no line that goes on in the next; and back.
constexpr std::string_view entering = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
constexpr std::string_view leaving = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

bool write_all(int file, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t size = ::write(file, text.data(), text.size());
    if (size > 0) {
      text.remove_prefix(static_cast<std::size_t>(size));
    } else if (size < 0 && errno == EAGAIN) {
      pollfd ready{.fd = file, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, -1);
    } else if (size == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

terminal::terminal() {
  if (::isatty(STDIN_FILENO)) keys_ = ::open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

terminal::~terminal() {
  leave();
  if (keys_ >= 0) ::close(keys_);
}

bool terminal::is_output() { return ::isatty(STDOUT_FILENO) == 1; }

terminal::extent terminal::size() {
  winsize of{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &of) != 0 || of.ws_col == 0 || of.ws_row == 0) return {};
  return {of.ws_col, of.ws_row};
}

void terminal::enter() {
  if (std::exchange(is_entered_, true)) return;
  termios now{};
  if (keys_ >= 0 && ::tcgetattr(keys_, &now) == 0) {
    before_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    ::tcsetattr(keys_, TCSANOW, &now);
  }
  write_all(STDOUT_FILENO, entering);
}

void terminal::leave() noexcept {
  if (!std::exchange(is_entered_, false)) return;
  write_all(STDOUT_FILENO, leaving);
  if (before_) ::tcsetattr(keys_, TCSAFLUSH, &*before_);
  before_.reset();
}

bool terminal::show(std::string_view text) noexcept { return write_all(STDOUT_FILENO, text); }

}  // namespace top
