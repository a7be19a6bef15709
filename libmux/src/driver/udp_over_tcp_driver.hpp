// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/cancellation_signal.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "strata/mux/core/role.hpp"
#include "strata/mux/udp_over_tcp.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/handler_memory.hpp"
#include "strata/transport/driver/page_pool.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

using transport::completion;
using transport::io_signature;
using transport::status_signature;

/// What the sockets of one dialer or listener share.
struct udp_over_tcp_setting {
  transport::ready_list ready;
  transport::page_pool pages;  ///< Of udp_over_tcp_driver::page_size at least.
};

/// One socket: frames out of what the stream gives, one write at a time in the other direction. A
/// page is held only while there is something to read.
class udp_over_tcp_driver final : public transport::driver {
 public:
  /// The largest frame, and as much again, so that a read is worth its call.
  static constexpr std::size_t page_size = 128 * 1024;

  udp_over_tcp_driver(const udp_over_tcp_setting& setting, std::unique_ptr<transport::stream> over,
                      role side, const udp_over_tcp_options& options);

  const asio::any_io_executor& executor() const noexcept { return setting_.ready.executor(); }
  void send_to(const transport::target& to, transport::bytes datagram,
               completion<status_signature> waiting);
  void receive_from(transport::mutable_bytes into, transport::target& from,
                    completion<io_signature> waiting);
  void close() noexcept;
  const std::optional<transport::target>& connected_to() const noexcept { return connected_to_; }

 private:
  using framing = core::udp_over_tcp::framing;
  static constexpr std::size_t max_head =
      core::udp_over_tcp::max_request_size + core::udp_over_tcp::max_header_size;

  void shutdown() noexcept override;

  // Receiving.
  void serve_receive();
  /// False: more has to come first, or nothing will.
  bool take_request();
  bool take_datagram();
  void consume(std::size_t size) noexcept;
  void read_on();
  void on_readable(std::error_code error);
  void read_page();
  void on_read(std::error_code error, std::size_t size);
  void end_reading(std::error_code error);
  transport::bytes input() const noexcept { return page_.span().subspan(begin_, end_ - begin_); }

  // Sending.
  bool make_head(const transport::target& to, std::size_t size);
  void write_on();
  void on_written(std::error_code error, std::size_t size);
  void on_datagram_written(std::error_code error);
  void keep_tail();
  void stop_send();

  std::shared_ptr<udp_over_tcp_driver> self() {
    return std::static_pointer_cast<udp_over_tcp_driver>(shared_from_this());
  }

  udp_over_tcp_setting setting_;
  std::unique_ptr<transport::stream> stream_;
  std::optional<transport::target> connected_to_;
  framing framing_;
  bool is_client_;
  bool request_due_;    ///< Client: to be sent with the first datagram.
  bool request_comes_;  ///< Server: to be read before the first one.

  transport::pending_operation<io_signature> receive_;
  transport::mutable_bytes into_;
  transport::target* from_ = nullptr;
  transport::page page_;
  std::size_t begin_ = 0;  ///< Of what is in the page and was not taken.
  std::size_t end_ = 0;
  bool reading_ = false;
  std::error_code read_end_;

  transport::pending_operation<status_signature> send_;
  std::array<std::byte, max_head> head_;
  std::size_t head_size_ = 0;
  transport::bytes payload_;
  std::size_t done_ = 0;         ///< Of head and payload together.
  std::vector<std::byte> tail_;  ///< Of a datagram that was begun, and then cancelled.
  std::size_t tail_done_ = 0;
  bool writing_ = false;
  bool send_stopped_ = false;
  std::error_code write_end_;
  asio::cancellation_signal stop_;
  transport::handler_memory read_memory_, write_memory_;
  bool closed_ = false;
  bool dead_ = false;
};

std::shared_ptr<udp_over_tcp_driver> make_udp_over_tcp(const udp_over_tcp_setting& setting,
                                                       std::unique_ptr<transport::stream> over,
                                                       role side,
                                                       const udp_over_tcp_options& options);

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
