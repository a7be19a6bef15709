// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/cancellation_signal.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "driver/anytls_session_driver.hpp"
#include "strata/transport/core/socks_address.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

class anytls_listener_driver;

/// A session of a listener: reads where its streams are to go, and hands the listener requests.
class anytls_server_session final : public anytls_session_driver {
 public:
  anytls_server_session(const anytls_setting& setting, const core::anytls_config& config,
                        std::unique_ptr<transport::stream> carrier,
                        std::weak_ptr<anytls_listener_driver> owner);

  /// Once, after make_driver.
  void begin();
  /// The listener has room for requests again.
  void resume();

  // What is decided about a request.
  std::unique_ptr<transport::stream> accept(std::uint32_t id);
  std::unique_ptr<udp_over_tcp_socket> accept_datagrams(std::uint32_t id, unsigned version);
  void refuse(std::uint32_t id, std::string_view why);

  std::string user();

 private:
  /// A stream that has not said where it is to go.
  struct arrival {
    transport::time_point deadline{};
    std::array<std::byte, transport::socks_address::max_encoded_size> held;
    std::size_t size = 0;
    bool write_stopped = false;
  };

  void on_event(const core::anytls_event& event) override;
  void end_of_turn(transport::time_point now) override;
  void on_shutdown() noexcept override;
  void serve_accepting();
  void read_destination(std::uint32_t id);
  void on_destination(std::uint32_t id, const transport::socks_address& address);
  void give_up(std::uint32_t id, std::string_view why);
  void arm_arrivals();
  void expire_arrivals();
  void begin_fallback();
  void hand_over();

  std::weak_ptr<anytls_listener_driver> owner_;
  udp_over_tcp_setting sockets_;
  transport::duration destination_timeout_;
  /// By number, so by time: the first is the oldest.
  std::map<std::uint32_t, arrival> arriving_;
  std::optional<asio::steady_timer> arrivals_timer_;
  bool timer_armed_ = false;
  asio::cancellation_signal stop_reading_;
  bool falling_back_ = false;
};

class anytls_listener_driver final : public transport::driver {
 public:
  anytls_listener_driver(const anytls_setting& setting,
                         std::unique_ptr<transport::stream_listener> carriers);

  const asio::any_io_executor& executor() const noexcept { return setting_.ready.executor(); }
  void accept(completion<anytls_request_signature> waiting);
  void close() noexcept;
  void use(core::anytls_users users) { setting_.options.session.users = std::move(users); }
  transport::address local_address() const noexcept;
  std::size_t sessions() const noexcept { return sessions_.size(); }

  // What sessions say.
  /// False: not now; resume() follows.
  bool has_room(anytls_server_session& asking);
  void on_request(std::unique_ptr<anytls_request> made);
  void on_over(anytls_server_session& session);
  void on_fallback(std::unique_ptr<transport::stream> carrier);

 private:
  void shutdown() noexcept override;
  void abort() noexcept;
  void listen();
  void on_carrier(std::error_code error, std::unique_ptr<transport::stream> carrier);
  void serve();

  anytls_setting setting_;
  std::unique_ptr<transport::stream_listener> carriers_;
  transport::pending_operation<anytls_request_signature> waiting_;
  std::deque<std::unique_ptr<anytls_request>> requests_;
  std::unordered_map<anytls_server_session*, std::weak_ptr<anytls_server_session>> sessions_;
  std::deque<std::weak_ptr<anytls_server_session>> held_up_;  ///< For want of room.
  bool listening_ = false;
  bool closed_ = false;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
