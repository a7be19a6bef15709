// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace {

constexpr std::chrono::milliseconds interval{200};
constexpr int width = 30;

std::string megabytes(double bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f MB", bytes / 1e6);
  return text.data();
}

}  // namespace

progress::progress(const asio::any_io_executor& executor, bool shown)
    : timer_(executor), shown_(shown) {
  if (shown_) wait();
}
progress::~progress() { stop(); }

double progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

void progress::wait() {
  timer_.expires_after(interval);
  timer_.async_wait([this](std::error_code error) {
    if (error || !shown_) return;
    draw();
    wait();
  });
}

void progress::draw() {
  const auto done = static_cast<double>(done_);
  const double rate = done / std::max(seconds(), 1e-3);
  if (expected_ == 0) {
    std::fprintf(stderr, "\r%s  %s/s\033[K", megabytes(done).c_str(), megabytes(rate).c_str());
    return;
  }
  const double part = std::min(1.0, done / static_cast<double>(expected_));
  const auto left =
      static_cast<long>((static_cast<double>(expected_) - done) / std::max(rate, 1.0));
  const std::string bar(static_cast<std::size_t>(part * width), '=');
  std::fprintf(stderr, "\r%3.0f%% [%-*s] %s  %s/s  %ld:%02ld left\033[K", part * 100, width,
               bar.c_str(), megabytes(done).c_str(), megabytes(rate).c_str(), left / 60, left % 60);
}

void progress::stop() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
  shown_ = false;
  timer_.cancel();
}
