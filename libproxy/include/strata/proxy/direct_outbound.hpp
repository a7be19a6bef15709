// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/proxy/core/address_filter.hpp"
#include "strata/proxy/export.hpp"
#include "strata/proxy/outbound.hpp"
#include "strata/transport/resolver.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::proxy {
inline namespace v0 {

struct direct_outbound_options {
  /// Who looks names up; null: the system.
  std::shared_ptr<transport::resolver> names{};
  /// Asked about every address right before it is connected or sent to, whatever name led to it.
  core::address_filter filter{};
  transport::tcp_dialer_options tcp{};
};

/// From here, over TCP and UDP. errc::not_allowed when the filter admits no address of the target.
class STRATA_PROXY_API direct_outbound final : public outbound {
 public:
  explicit direct_outbound(const asio::any_io_executor& executor,
                           direct_outbound_options options = {});
  ~direct_outbound() override;

  transport::result<std::unique_ptr<transport::stream_listener>> listen(
      const transport::target& expected) override;

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override;
  void do_associate(transport::completion<associate_signature> waiting) override;

  std::shared_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::proxy
