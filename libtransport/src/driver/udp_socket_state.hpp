// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/ip/udp.hpp>
#include <memory>
#include <optional>
#include <span>

#include "driver/udp_socket_service.hpp"
#include "driver/udp_socket_system.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/handler_memory.hpp"
#include "strata/transport/driver/pending_operation.hpp"

namespace strata::transport {
inline namespace v0 {

/// What a udp_socket is a handle on. The waits on the system and the operations of the user are
/// kept apart: a wait that is under way outlives a cancelled operation and serves the next one.
class udp_socket_state final : public driver {
 public:
  static result<udp_socket> open(const asio::any_io_executor& executor, const address& local,
                                 const udp_options& options, udp_system_factory make_system);

  explicit udp_socket_state(const asio::any_io_executor& executor);
  ~udp_socket_state() override;

  void receive(std::span<datagram_batch> batches, completion<udp_socket::receive_signature> finish);
  void wait_writable(completion<udp_socket::wait_signature> finish);
  result<std::size_t> send(const transmit& what, bytes payload);
  void cancel() noexcept;
  void close() noexcept;

  bool is_open() const noexcept { return socket_.has_value(); }
  const asio::any_io_executor& executor() const noexcept { return executor_; }
  const address& local() const noexcept { return local_; }
  const udp_counters& counters() const noexcept { return system_->counters; }

 private:
  void shutdown() noexcept override;
  std::shared_ptr<udp_socket_state> shared_self();
  std::error_code prepare(const address& local, const udp_options& options);
  void cancel_receive() noexcept;
  void cancel_writable() noexcept;
  void cancel_waits() noexcept;
  void wait_readable();
  void on_readable();
  std::error_code fill(std::size_t& filled);
  void give_back_slots() noexcept;

  asio::any_io_executor executor_;
  std::optional<asio::ip::udp::socket> socket_;
  std::unique_ptr<udp_system> system_;
  udp_socket_service* service_ = nullptr;
  address local_;

  pending_operation<udp_socket::receive_signature> receive_;
  std::span<datagram_batch> batches_;
  udp_slots slots_;
  bool readable_expected_ =
      false;  ///< The last receive did not empty the socket: look before waiting.
  bool waiting_readable_ = false;
  handler_memory readable_memory_;

  pending_operation<udp_socket::wait_signature> writable_;
  bool waiting_writable_ = false;
  handler_memory writable_memory_;
};

}  // namespace v0
}  // namespace strata::transport
