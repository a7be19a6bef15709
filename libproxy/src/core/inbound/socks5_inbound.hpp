// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>

#include "core/inbound/inbound_protocol.hpp"
#include "strata/proxy/core/inbound_opening.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// SOCKS5 (RFC 1928) with no authentication or user and password (RFC 1929): greeting, credentials
/// where there are users, request. Each message is taken exactly, and none is looked at before
/// the one before it was in order.
class socks5_inbound final : public inbound_protocol {
 public:
  explicit socks5_inbound(const inbound_config& config)
      : inbound_protocol(protocol::socks5),
        users_(config.users),
        bind_(config.bind),
        udp_associate_(config.udp_associate) {}

  std::size_t receive(transport::bytes input) override;

 private:
  enum class part : std::uint8_t { greeting, credentials, request };

  void write_grant(const transport::address& bound) override;
  void write_refusal(refusal why) override;
  std::size_t wanted_size() const noexcept;
  std::size_t wanted_request_size() const noexcept;
  void read_message();
  void read_greeting();
  void read_credentials();
  void read_request();
  void read_target(bool of_connect);
  transport::bytes message() const noexcept { return transport::bytes(message_).first(size_); }
  std::size_t octet(std::size_t at) const noexcept {
    return std::to_integer<std::size_t>(message_[at]);
  }

  std::shared_ptr<const user_table> users_;
  std::array<std::byte, 1 + 1 + 255 + 1 + 255> message_{};  // credentials are the longest
  std::size_t size_ = 0;
  part part_ = part::greeting;
  bool bind_;
  bool udp_associate_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
