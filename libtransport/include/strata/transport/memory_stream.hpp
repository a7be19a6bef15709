// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>

#include "strata/transport/stream.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {
class memory_driver;
}

struct memory_stream_options {
  /// Bytes that one direction holds; writers wait beyond it. At least one.
  std::size_t capacity = 64 * 1024;
  /// Of the first and the second stream; released when it is destroyed: how an owner learns of it.
  std::array<std::shared_ptr<void>, 2> held{};
};

/// What lies between two memory streams, so that tests can cut it.
class STRATA_TRANSPORT_API memory_link {
 public:
  explicit memory_link(std::weak_ptr<detail::memory_driver> driver) noexcept
      : driver_(std::move(driver)) {}
  /// The connection is gone: both streams end with `cause`, except that bytes and ends that had
  /// arrived are still read.
  void cut(std::error_code cause) noexcept;
  /// The same with a cause for each of the streams.
  void cut(std::error_code first, std::error_code second) noexcept;

 private:
  std::weak_ptr<detail::memory_driver> driver_;
};

struct memory_stream_pair {
  std::unique_ptr<stream> first;
  std::unique_ptr<stream> second;
  memory_link link;
};

/// Two connected streams within one serial executor: what one writes the other reads. A pending
/// operation keeps an io_context running, as one on a socket does.
STRATA_TRANSPORT_API memory_stream_pair make_memory_streams(
    const asio::any_io_executor& executor, const memory_stream_options& options = {});

}  // namespace v0
}  // namespace strata::transport
