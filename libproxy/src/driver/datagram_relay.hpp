// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "strata/proxy/core/socks_datagram.hpp"
#include "strata/proxy/outbound.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/datagram_socket.hpp"
#include "strata/transport/relay.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

using shared_datagram_socket = std::shared_ptr<transport::datagram_socket>;

/// A datagram of the client, within the memory that was given for it; or that none comes any more.
struct client_datagram {
  std::error_code error{};
  transport::target where{transport::address()};
  transport::bytes payload{};
};

/// Of those that go by outbounds of one name one socket is kept; without an outbound the datagram
/// is dropped.
struct datagram_way {
  std::string name{};
  std::shared_ptr<outbound> by{};
};

/// The client of a relay: how its datagrams come and go, and which way each takes.
class datagram_client {
 public:
  /// What a send may write in front of the payload.
  static constexpr std::size_t headroom = core::socks_datagram::max_header_size;
  /// The largest payload that any framing has, and such a header.
  static constexpr std::size_t memory_size = headroom + 65'535;

  datagram_client() = default;
  datagram_client(const datagram_client&) = delete;
  datagram_client& operator=(const datagram_client&) = delete;
  virtual ~datagram_client() = default;

  virtual asio::any_io_executor executor() = 0;
  /// Errors are lasting. `memory` has memory_size and stays until the coroutine has ended.
  virtual asio::awaitable<client_datagram> receive(transport::mutable_bytes memory) = 0;
  virtual asio::awaitable<datagram_way> way_to(const transport::target& to) = 0;
  /// Whether it is to have what came from there by that socket.
  virtual bool takes(const transport::target& from, const transport::datagram_socket& by) = 0;
  /// `with_headroom` begins with room for a header; the payload is behind it.
  virtual asio::awaitable<std::error_code> send(const transport::target& from,
                                                transport::mutable_bytes with_headroom) = 0;
  virtual void close() noexcept = 0;
};

struct datagram_relay_options {
  transport::duration idle{0};             ///< Without a datagram; zero: for ever.
  transport::duration connect_timeout{0};  ///< Of an association.
  std::shared_ptr<transport::relay_counters> counters{};
};

/// Carries the datagrams of one client to where they go, and what comes back: a socket for each
/// name of outbounds, limits::max_association_paths at most. It holds two datagrams, and what one
/// side does not take waits in, or is lost by, the sockets of the other. Each datagram is checked
/// by the outbound's socket, since each may go elsewhere.
class datagram_relay final : public std::enable_shared_from_this<datagram_relay> {
 public:
  datagram_relay(std::unique_ptr<datagram_client> client, datagram_relay_options options);

  datagram_client& client() noexcept { return *client_; }
  /// A socket that is there before the first datagram wants it.
  void add(const std::string& name, shared_datagram_socket by);
  /// Ends the client and all sockets. Idempotent.
  void close() noexcept;

  /// Until the client ends, or the relay is closed or idle; then all is closed. No error for an end
  /// in order and for the relay's own; `in` keeps it.
  static asio::awaitable<std::error_code> run(std::shared_ptr<datagram_relay> in);

 private:
  static asio::awaitable<void> carry_back(std::shared_ptr<datagram_relay> in, std::string name,
                                          shared_datagram_socket by);
  static asio::awaitable<shared_datagram_socket> path_to(std::shared_ptr<datagram_relay> in,
                                                         const transport::target& to);
  void watch();

  std::unique_ptr<datagram_client> client_;
  datagram_relay_options options_;
  std::map<std::string, shared_datagram_socket> far_;
  asio::steady_timer idle_;
  std::uint64_t moved_ = 0;
  bool has_sent_ = false;  ///< Before that nobody can answer.
  bool is_closed_ = false;
};

/// Whose datagrams a client takes that named one destination for all.
class connected_peer {
 public:
  /// Nobody's yet.
  connected_peer() = default;
  explicit connected_peer(const transport::target& only) : named_(only) {}

  explicit operator bool() const noexcept { return named_.has_value(); }
  /// Where its datagrams go: to the address that answers, when it is known which that is.
  const transport::target& where() const noexcept { return address_ ? *address_ : *named_; }
  /// A name that somebody further on looks up may be any address: the first that answers from the
  /// port is taken for it, and no other from then on.
  bool is(const transport::target& from, const transport::datagram_socket& by);

 private:
  std::optional<transport::target> named_{};
  std::optional<transport::target> address_{};  ///< Of the name, where datagrams go to.
  std::optional<transport::target> answers_{};  ///< Who answers, where it is looked up further on.
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
