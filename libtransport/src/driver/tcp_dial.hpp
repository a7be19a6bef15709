// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <optional>
#include <string>
#include <vector>

#include "driver/happy_eyeballs.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::transport {
inline namespace v0 {

/// One dial: resolves, races the addresses, and yields the first stream that connects.
class tcp_dial final : public driver {
 public:
  tcp_dial(const ready_list& ready, const tcp_dialer_options& options);

  void start(const target& where, completion<stream_signature> waiting);
  /// With a name resolved already, in the resolver's order.
  void start(const std::vector<address>& resolved, completion<stream_signature> waiting);
  void abort() noexcept;
  bool is_done() const noexcept { return !waiting_; }

 private:
  void shutdown() noexcept override;
  void hold(completion<stream_signature> waiting);
  void resolve(const target& where);
  void race(const std::vector<address>& resolved);
  void turn();
  void connect(std::size_t attempt);
  void connected(std::size_t attempt);
  void failed(std::size_t attempt, const std::error_code& error);
  void finish(std::error_code error, std::unique_ptr<stream> made);
  void close() noexcept;
  template <class Method>
  auto bind(Method method);

  ready_list ready_;
  tcp_dialer_options options_;
  pending_operation<stream_signature> waiting_;
  std::string name_;  // what was asked for, for the log
  std::optional<happy_eyeballs> race_;
  std::optional<asio::ip::tcp::resolver> resolver_;
  std::optional<asio::steady_timer> timer_;
  std::vector<std::optional<asio::ip::tcp::socket>> sockets_;  // one per address
};

}  // namespace v0
}  // namespace strata::transport
