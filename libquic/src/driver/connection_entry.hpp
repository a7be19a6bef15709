// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "driver/stream_entry.hpp"
#include "strata/quic/connection.hpp"
#include "strata/quic/session.hpp"

namespace strata::quic {
inline namespace v0 {
namespace detail {

struct open_wait {
  std::uint64_t number = 0;  ///< What its cancellation finds it by.
  transport::pending_operation<stream_signature> waiting;
};

struct shutdown_wait {
  transport::pending_operation<status_signature> waiting;
  transport::time_point deadline;
  std::uint64_t code = 0;
  std::unique_ptr<asio::steady_timer>
      timer;  ///< Must not keep the context busy once the wait is over.
};

/// What waits on one connection, and who still holds it. Its state is the core's.
struct connection_entry {
  explicit connection_entry(core::connection_handle named) : handle(named) {}

  core::connection_handle handle;
  /// Connection handles, stream handles, and an attached session. At zero the connection is closed
  /// and forgotten.
  std::size_t holders = 0;
  bool is_server = false;
  bool ready = false;
  bool confirmed = false;
  std::optional<close_reason> closed;

  std::unordered_map<std::uint64_t, stream_entry> streams;
  std::array<std::deque<open_wait>, 2> opening;  ///< By kind: [1] is bidirectional.
  std::array<transport::pending_operation<stream_signature>, 2> accepting;
  transport::pending_operation<close_signature> waiting_closed;
  transport::pending_operation<status_signature> waiting_confirmed;
  transport::pending_operation<connection_signature> connecting;
  std::optional<shutdown_wait> shutting_down;
  std::unique_ptr<session> attached;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::quic
