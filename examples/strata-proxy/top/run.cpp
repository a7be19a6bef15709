// SPDX-License-Identifier: Apache-2.0
#include "top/run.hpp"

#include <unistd.h>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>

#include "configuration.hpp"
#include "program/program.hpp"
#include "top/admin_client.hpp"
#include "top/frame.hpp"
#include "top/history.hpp"
#include "top/options.hpp"
#include "top/terminal.hpp"

namespace top {
namespace {

using namespace strata;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t plain_width = 100;

/// What stays the same from frame to frame.
frame_options frame_of(const options& given) {
  frame_options made;
  made.ascii = given.ascii;
  made.source = given.admin.string();
  return made;
}

/// Two snapshots, for rates, and one frame.
asio::awaitable<void> show_once(const options& given, int& status) {
  const auto executor = co_await asio::this_coro::executor;
  history all;
  for (int i = 0; i < 2; ++i) {
    auto now = co_await ask(executor, given.admin);
    if (!now) {
      const std::string source = given.admin.string();
      program::say(source + ": " + now.error() + "; " + hint(source));
      status = 1;
      co_return;
    }
    all.add(std::chrono::steady_clock::now(), std::move(*now));
    asio::steady_timer timer(executor, given.interval);
    if (i == 0) co_await timer.async_wait(quietly);
  }
  frame_options how = frame_of(given);
  how.width = given.width.value_or(terminal::is_output() ? terminal::size().width : plain_width);
  how.height = 0;
  how.is_interactive = false;
  std::cout << plain_text(draw(all.current(), how)) << std::flush;
}

class dashboard {
 public:
  explicit dashboard(const options& given)
      : given_(given), how_(frame_of(given)), timer_(context_), signals_(context_) {
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) signals_.add(each);
    if (screen_.keys() >= 0) keys_.emplace(context_, ::dup(screen_.keys()));
  }

  int run() {
    screen_.enter();
    redraw();
    const auto ended = [this](std::exception_ptr thrown) {
      thrown_ = thrown;
      context_.stop();
    };
    asio::co_spawn(context_, poll(), ended);
    asio::co_spawn(context_, read_keys(), [](std::exception_ptr) {});
    wait_for_signal();
    context_.run();
    screen_.leave();
    if (thrown_) std::rethrow_exception(thrown_);
    return 0;
  }

 private:
  asio::awaitable<void> poll() {
    for (;;) {
      if (!how_.is_paused) {
        auto now = co_await ask(context_.get_executor(), given_.admin);
        const auto at = std::chrono::steady_clock::now();
        if (now)
          history_.add(at, std::move(*now));
        else
          history_.lose("lost: " + now.error() + ", tried again in " + interval_text());
        if (!how_.is_paused) redraw();
      }
      timer_.expires_after(given_.interval);
      co_await timer_.async_wait(quietly);
    }
  }
  std::string interval_text() const {
    return seconds_text(std::chrono::duration<double>(given_.interval).count());
  }

  asio::awaitable<void> read_keys() {
    char key = 0;
    while (keys_) {
      const auto room = asio::buffer(&key, 1);
      const auto [error, size] = co_await keys_->async_read_some(room, quietly);
      if (error) co_return;
      if (key == 'q' || key == 'Q') co_return context_.stop();
      if (key == 'p' || key == 'P') how_.is_paused = !how_.is_paused;
      if (key == 's' || key == 'S') how_.sorted = next(how_.sorted);
      if (!how_.is_paused && (key == 'p' || key == 'P')) timer_.cancel();
      redraw();
    }
  }

  void wait_for_signal() {
    signals_.async_wait([this](std::error_code error, int number) {
      if (error) return;
      if (number == SIGTSTP)
        stop();
      else if (number != SIGWINCH)
        return context_.stop();
      redraw();
      wait_for_signal();
    });
  }
  /// As a job of the shell that waits, with the terminal as the shell wants it.
  void stop() {
    screen_.leave();
    ::raise(SIGSTOP);
    screen_.enter();
  }

  void redraw() {
    const terminal::extent size = terminal::size();
    how_.width = size.width;
    how_.height = size.height;
    if (!screen_.show(screen_text(draw(history_.current(), how_), given_.colours))) context_.stop();
  }

  const options& given_;
  frame_options how_;
  history history_;
  terminal screen_;
  asio::io_context context_{1};
  asio::steady_timer timer_;
  asio::signal_set signals_;
  std::optional<asio::posix::stream_descriptor> keys_;
  std::exception_ptr thrown_;
};

}  // namespace

int run(int count, char** values) {
  program::name = "strata-proxy top";
  const auto environment = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const parsed_options read = parse_options({values, values + count}, environment);
  if (!read.problem.empty()) {
    program::say(read.problem);
    return 2;
  }
  if (read.value.help) {
    std::cout << usage();
    return 0;
  }
  std::signal(SIGPIPE, SIG_IGN);
  if (!read.value.once && terminal::is_output()) return dashboard(read.value).run();
  int status = 0;
  asio::io_context context(1);
  asio::co_spawn(context, show_once(read.value, status), [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  context.run();
  return status;
}

}  // namespace top
