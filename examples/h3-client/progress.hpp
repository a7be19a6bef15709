// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>

/// Counts what is transferred, and draws a bar with rate and time left on a terminal.
class progress {
 public:
  progress(const asio::any_io_executor& executor, bool shown);
  ~progress();

  void expect(std::uint64_t bytes) noexcept { expected_ += bytes; }
  void add(std::uint64_t bytes) noexcept { done_ += bytes; }
  void stop();

  std::uint64_t bytes() const noexcept { return done_; }
  double seconds() const;

 private:
  void draw();
  void wait();

  asio::steady_timer timer_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::uint64_t expected_ = 0;
  std::uint64_t done_ = 0;
  bool shown_;
};
