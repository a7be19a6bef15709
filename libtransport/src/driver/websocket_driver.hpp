// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "driver/websocket_core.hpp"
#include "strata/transport/driver/carried_stream_driver.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

/// Used once the opening is done only.
class websocket_view {
 public:
  explicit websocket_view(websocket_core& of) noexcept : of_(&of) {}
  result<std::size_t> read(std::span<const mutable_bytes> to);
  std::optional<std::error_code> ahead();
  result<std::size_t> peek(std::span<bytes> pieces);
  void consume(std::size_t size) { of_->connection()->consume(size); }
  result<std::size_t> write(std::span<const bytes> from) { return of_->connection()->write(from); }
  result<void> finish() { return of_->connection()->finish(std::chrono::steady_clock::now()); }
  void reset(std::uint32_t) { of_->reset(); }
  void forget() {}

 private:
  websocket_core* of_;
};

/// What the openings of one dialer or listener share.
struct websocket_setting {
  ready_list ready;
  page_pool pages;
  websocket_role role;
  websocket_options options;
};

class websocket_driver final : public carried_stream_driver<websocket_core, websocket_view> {
 public:
  websocket_driver(const websocket_setting& setting, std::unique_ptr<stream> carrier);

  void handshake(completion<websocket_signature> waiting);
  const websocket_core& connection() const noexcept { return core(); }
  duration linger() const noexcept { return linger_; }

 private:
  void on_turn(time_point now) override;
  void on_carrier_lost(std::error_code cause) override;
  void on_shutdown() noexcept override;
  void on_closed();
  void end_handshake(std::error_code error);

  duration linger_;
  pending_operation<websocket_signature> handshake_;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
