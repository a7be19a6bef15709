// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/async_result.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include "strata/transport/completion.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/driver/page_pool.hpp"
#include "strata/transport/export.hpp"
#include "strata/transport/stream.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {
class pipe_stack;
}

/// What relays of one serial executor share, so that one that waits holds nothing: pages to copy
/// with, and pipes to splice with.
class STRATA_TRANSPORT_API relay_pool {
 public:
  explicit relay_pool(std::size_t page_size = std::size_t{128} * 1024, std::size_t kept_pages = 4,
                      std::size_t kept_pipes = 4);

  page_pool pages() const { return pages_; }
  const std::shared_ptr<detail::pipe_stack>& pipes() const noexcept { return pipes_; }

 private:
  page_pool pages_;
  std::shared_ptr<detail::pipe_stack> pipes_;
};

/// Bytes that a relay has carried so far.
struct relay_counters {
  std::uint64_t forth = 0;  ///< From the first stream to the second.
  std::uint64_t back = 0;
};

struct relay_options {
  /// One for all relays of an executor; by default one for this relay alone.
  relay_pool pool{};
  /// How long one direction may stay silent after the other has ended: peers that forget an end
  /// would hold descriptors for ever. Zero: for ever.
  duration half_closed = std::chrono::seconds(30);
  /// How long both may stay silent. Zero: for ever.
  duration idle{0};
  /// Plain TCP on both sides is moved within the kernel once there is much of it (splice, Linux).
  bool splice = true;
  /// Written to while it goes on, on the streams' executor; null when nobody looks.
  std::shared_ptr<relay_counters> counters{};
};

using relay_signature = void(std::error_code, relay_counters);

namespace detail {
STRATA_TRANSPORT_API void start_relay(std::unique_ptr<stream> one, std::unique_ptr<stream> other,
                                      const relay_options& options,
                                      completion<relay_signature> waiting);

struct initiate_relay {
  using executor_type = asio::any_io_executor;
  executor_type executor;
  executor_type get_executor() const noexcept { return executor; }
  template <class Handler>
  void operator()(Handler&& handler, std::unique_ptr<stream> one, std::unique_ptr<stream> other,
                  const relay_options& options) const {
    start_relay(std::move(one), std::move(other), options,
                make_completion<relay_signature>(std::forward<Handler>(handler), executor));
  }
};
}  // namespace detail

/// Carries bytes between two streams of one executor until both directions have ended. An end in
/// order is handed on, and the other direction goes on; anything else resets both. Completes with
/// what ended it: no error when both ends were in order, timed_out for a silence that was too long,
/// aborted when cancelled.
template <asio::completion_token_for<relay_signature> Token = asio::deferred_t>
auto async_relay(std::unique_ptr<stream> one, std::unique_ptr<stream> other,
                 const relay_options& options = {}, Token&& token = Token()) {
  const auto executor = one->get_executor();
  return asio::async_initiate<Token, relay_signature>(detail::initiate_relay{executor}, token,
                                                      std::move(one), std::move(other), options);
}

}  // namespace v0
}  // namespace strata::transport
