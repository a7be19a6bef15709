// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "core/tunnel/tunnel_link.hpp"
#include "strata/transport/completion.hpp"
#include "strata/transport/driver/carried_stream_driver.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

/// Used once the mode is known, or the target connected.
class tunnel_view {
 public:
  explicit tunnel_view(core::tunnel_link& of) noexcept : of_(&of) {}
  transport::result<std::size_t> read(std::span<const transport::mutable_bytes> to) {
    return of_->read(to);
  }
  std::optional<std::error_code> ahead() { return of_->ahead(); }
  transport::result<std::size_t> write(std::span<const transport::bytes> from) {
    return of_->write(from);
  }
  transport::result<void> finish() { return of_->finish(); }
  void reset(std::uint32_t) { of_->reset(); }
  void forget() {}

 private:
  core::tunnel_link* of_;
};

class tunnel_stream;
using tunnel_signature = void(std::error_code, std::unique_ptr<tunnel_stream>);

struct tunnel_setting {
  transport::page_pool pages{64 * 1024, 2};
  core::tunnel_link_config link{};
  transport::duration linger = std::chrono::seconds(35);
};

struct own_random {
  transport::system_random random;
};

/// A tunnel's link on its carrier.
class tunnel_driver final
    : private own_random,
      public transport::carried_stream_driver<core::tunnel_link, tunnel_view> {
 public:
  tunnel_driver(const transport::ready_list& ready, std::unique_ptr<transport::stream> carrier,
                const tunnel_setting& setting);

  void begin(transport::completion<tunnel_signature> waiting);
  const core::tunnel_link& link() const noexcept { return core(); }
  void accept();
  /// The last thing that is said.
  void refuse(std::string_view why);
  void let_go_of();

 private:
  void on_turn(transport::time_point now) override;
  void on_carrier_lost(std::error_code cause) override;
  void on_shutdown() noexcept override;
  void on_closed();
  void end_opening(std::error_code error);

  transport::duration linger_;
  transport::pending_operation<tunnel_signature> opening_;
  bool refused_ = false;
};

/// What a tunnel's WebSocket carries: the one stream of simple mode, or the bytes of yamux.
class tunnel_stream final : public transport::forwarding_stream<tunnel_driver> {
 public:
  explicit tunnel_stream(std::shared_ptr<tunnel_driver> driver) noexcept
      : forwarding_stream(std::move(driver)) {}
  ~tunnel_stream() override { driver_->let_go_of(); }

  core::tunnel_mode mode() const noexcept { return driver_->link().mode(); }
  /// Of a server in simple mode: where the client wants to go. Then accept or refuse; destroying
  /// the stream afterwards does not recall a refusal.
  const std::optional<transport::target>& wanted() const noexcept {
    return driver_->link().wanted();
  }
  void accept() { driver_->accept(); }
  void refuse(std::string_view why) { driver_->refuse(why); }

  void reset(std::uint64_t code) noexcept override { driver_->reset(code); }
  transport::stream_traits traits() const noexcept override {
    return {.half_close = false, .reset_visible = true, .reset_code = false, .proves_end = true};
  }
  std::optional<transport::connection_security> security() const override {
    return driver_->carrier_security();
  }
  transport::address remote_address() const override { return driver_->remote_address(); }
  transport::address local_address() const override { return driver_->local_address(); }
};

/// On a WebSocket whose opening is done: completes when the link is `ready`.
void start_tunnel(std::unique_ptr<transport::stream> carrier, const tunnel_setting& setting,
                  transport::completion<tunnel_signature> waiting);

struct initiate_tunnel {
  using executor_type = asio::any_io_executor;
  executor_type executor;
  executor_type get_executor() const noexcept { return executor; }
  template <class Handler>
  void operator()(Handler&& handler, std::unique_ptr<transport::stream> carrier,
                  const tunnel_setting& setting) const {
    start_tunnel(
        std::move(carrier), setting,
        transport::make_completion<tunnel_signature>(std::forward<Handler>(handler), executor));
  }
};

template <class Token>
auto async_start_tunnel(std::unique_ptr<transport::stream> carrier, const tunnel_setting& setting,
                        Token&& token) {
  const auto executor = carrier->get_executor();
  return asio::async_initiate<Token, tunnel_signature>(initiate_tunnel{executor}, token,
                                                       std::move(carrier), setting);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
