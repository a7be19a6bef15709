// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/transport/connection.hpp"
#include "strata/transport/memory_stream.hpp"

namespace strata::transport {
inline namespace v0 {

struct memory_connection_options {
  memory_stream_options streams;
  /// Streams of one end that the other has not accepted; opening waits beyond them.
  std::size_t backlog = 256;
};

struct memory_connection_pair {
  std::unique_ptr<connection> first;
  std::unique_ptr<connection> second;
};

/// Two connected connections within one serial executor, whose streams are memory streams: for
/// tests of what runs over any connection.
STRATA_TRANSPORT_API memory_connection_pair make_memory_connections(
    const asio::any_io_executor& executor, const memory_connection_options& options = {});

}  // namespace v0
}  // namespace strata::transport
