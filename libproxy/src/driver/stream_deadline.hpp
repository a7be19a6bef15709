// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/steady_timer.hpp>
#include <memory>
#include <system_error>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/stream.hpp"
#include "strata/transport/stream_traits.hpp"

namespace strata::proxy {
inline namespace v0 {

/// Resets a stream when the time is over.
class stream_deadline {
 public:
  stream_deadline(transport::stream& of, transport::duration limit)
      : timer_(of.get_executor(), limit) {
    timer_.async_wait([&of, over = over_](std::error_code error) {
      if (error || *over) return;
      *over = true;
      of.reset(transport::stream_cancelled);
    });
  }
  stream_deadline(const stream_deadline&) = delete;
  stream_deadline& operator=(const stream_deadline&) = delete;
  ~stream_deadline() { *over_ = true; }
  bool has_passed() const noexcept { return *over_; }

 private:
  std::shared_ptr<bool> over_ = std::make_shared<bool>(false);
  asio::steady_timer timer_;
};

}  // namespace v0
}  // namespace strata::proxy
