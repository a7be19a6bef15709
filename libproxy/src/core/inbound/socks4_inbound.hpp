// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "core/inbound/inbound_protocol.hpp"
#include "strata/proxy/core/inbound_opening.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// SOCKS4 and SOCKS4a. A user id is read and believed by nobody.
class socks4_inbound final : public inbound_protocol {
 public:
  explicit socks4_inbound(const inbound_config& config)
      : inbound_protocol(protocol::socks4),
        bind_(config.bind),
        has_users_(config.users && !config.users->empty()) {}

  std::size_t receive(transport::bytes input) override;

 private:
  enum class part : std::uint8_t { fixed, user_id, name };

  void write_grant(const transport::address& bound) override;
  void write_refusal(refusal why) override;
  std::size_t receive_fixed(transport::bytes input);
  std::size_t receive_text(transport::bytes input);
  void read_request();
  bool has_name() const noexcept;

  std::array<std::byte, 8> fixed_{};
  std::size_t fixed_size_ = 0;
  std::string text_;
  part part_ = part::fixed;
  bool bind_;
  bool has_users_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
