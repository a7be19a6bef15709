// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/deferred.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include "strata/transport/completion.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/datagram.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// The largest UDP payload that fits an IPv4 packet, and so the largest batch one send hands to the
/// system.
inline constexpr std::size_t udp_max_payload = 65'507;
/// As many datagrams of one size as a system cuts out of one batch.
inline constexpr std::size_t udp_max_segments = 64;
/// As many batches as one receive fills; a longer span is filled in part.
inline constexpr std::size_t udp_max_batches = 8;

struct udp_options {
  std::size_t receive_buffer =
      4 << 20;  ///< Bytes asked of the system, which may give less; 0 leaves its default.
  std::size_t send_buffer = 4 << 20;  ///< The same for the other direction.
  bool reuse_port = false;  ///< Several sockets share one port and the system spreads datagrams
                            ///< over them by flow.
  bool dual_stack = true;   ///< A socket bound to an IPv6 wildcard also speaks IPv4.
  bool dont_fragment =
      true;  ///< Datagrams beyond the path's size are refused or vanish instead of being cut.
  bool offload = true;  ///< Let the system cut and join batches (UDP GSO and GRO) where it can.
  address peer;  ///< When not empty, the only address this socket talks to (a connected socket).
};

/// What happened so far; a batch is one message of the system, of one datagram or many.
struct udp_counters {
  std::uint64_t batches_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t batches_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t peer_errors =
      0;  ///< Errors that ICMP put on the socket, such as a closed port; never reported.
  std::uint64_t sends_dropped =
      0;  ///< Batches the system had no memory for; to the caller they were lost on the way.
  std::uint64_t offload_refusals = 0;  ///< Destinations for which the system would not cut batches.
};

class udp_socket_state;

/// A UDP socket for drivers of datagram cores: batches in both directions, with ECN marks and local
/// addresses.
///
/// Everything is called on the executor it was opened with, which must be serial (a strand if
/// several threads run the context); handlers run on their own associated executor. No operation
/// completes inside the call that starts it. Destroying the socket, or its execution context, ends
/// it: pending operations complete with errc::aborted, respectively are destroyed uninvoked, and a
/// socket that outlives its context is inert.
class STRATA_TRANSPORT_API udp_socket {
 public:
  using receive_signature = io_signature;
  using wait_signature = status_signature;

  /// Binds to `local`; port 0 lets the system choose. Errors are the system's
  /// (std::errc::address_in_use, ...), or errc::not_supported for an option this system lacks, or
  /// errc::invalid_argument for an empty address.
  static result<udp_socket> open(const asio::any_io_executor& executor, const address& local,
                                 const udp_options& options = {});

  udp_socket(udp_socket&&) noexcept;
  udp_socket& operator=(udp_socket&&) noexcept;
  ~udp_socket();

  const asio::any_io_executor& executor() const noexcept;
  /// The bound address with the port in use; its IP part is unspecified for a wildcard.
  address local_address() const noexcept;

  /// Waits for datagrams, then fills from the front as many of `batches` as it can without waiting
  /// again, at most udp_max_batches; the result is their number, at least one. `batches` must stay
  /// until completion.
  ///
  /// The payloads are memory of a pool that all sockets of the context share, and may be changed in
  /// place. They are lent until the next async_receive() on this socket or its end, so a socket
  /// that waits holds none. An empty datagram is a batch with an empty payload and stride 0. Errors
  /// of peers (a closed port) never end receiving. One receive may be outstanding. Errors: aborted,
  /// closed, out_of_memory.
  template <asio::completion_token_for<receive_signature> Token = asio::deferred_t>
  auto async_receive(std::span<datagram_batch> batches, Token&& token = Token()) {
    return asio::async_initiate<Token, receive_signature>(initiate_receive{state_}, token, batches);
  }

  /// Sends `payload`, which is what.size bytes, as datagrams of what.segment bytes (0: as one). The
  /// result is how many bytes the system took: fewer than all, but whole datagrams, when the socket
  /// became full; wait with async_wait_writable() and send the rest. Batches beyond the system's
  /// limits are cut here.
  ///
  /// Errors, after which nothing more of the batch goes out: would_block (nothing was taken),
  /// message_too_large (one datagram is larger than the path or than UDP), unreachable, refused (a
  /// local policy), closed.
  result<std::size_t> send(const transmit& what, bytes payload);

  /// Completes when a send that would have blocked may be tried again. One may be outstanding.
  /// Errors: aborted, closed.
  template <asio::completion_token_for<wait_signature> Token = asio::deferred_t>
  auto async_wait_writable(Token&& token = Token()) {
    return asio::async_initiate<Token, wait_signature>(initiate_wait{state_}, token);
  }

  /// Pending operations complete with errc::aborted; the socket stays usable.
  void cancel() noexcept;
  /// As cancel(), and everything later fails with errc::closed. Idempotent.
  void close() noexcept;
  bool is_open() const noexcept;
  const udp_counters& counters() const noexcept;

 private:
  friend class udp_socket_state;
  explicit udp_socket(std::shared_ptr<udp_socket_state> state) noexcept;
  static const asio::any_io_executor& executor_of(const udp_socket_state& state) noexcept;
  static void start_receive(udp_socket_state& state, std::span<datagram_batch> batches,
                            completion<receive_signature> finish);
  static void start_wait_writable(udp_socket_state& state, completion<wait_signature> finish);

  struct initiate_receive {
    using executor_type = asio::any_io_executor;
    std::shared_ptr<udp_socket_state> state;
    executor_type get_executor() const noexcept { return executor_of(*state); }
    template <class Handler>
    void operator()(Handler&& handler, std::span<datagram_batch> batches) const {
      start_receive(
          *state, batches,
          make_completion<receive_signature>(std::forward<Handler>(handler), executor_of(*state)));
    }
  };

  struct initiate_wait {
    using executor_type = asio::any_io_executor;
    std::shared_ptr<udp_socket_state> state;
    executor_type get_executor() const noexcept { return executor_of(*state); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      start_wait_writable(*state, make_completion<wait_signature>(std::forward<Handler>(handler),
                                                                  executor_of(*state)));
    }
  };

  std::shared_ptr<udp_socket_state> state_;
};

}  // namespace v0
}  // namespace strata::transport
