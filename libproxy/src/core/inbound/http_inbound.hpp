// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/inbound/inbound_protocol.hpp"
#include "strata/proxy/core/inbound_opening.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// The first request of an HTTP client: a tunnel, something to be fetched, or a page of the proxy.
class http_inbound final : public inbound_protocol {
 public:
  explicit http_inbound(const inbound_config& config)
      : inbound_protocol(protocol::http),
        parser_(transport::http1_head_parser::of_requests(config.head)),
        users_(config.users),
        pages_(config.pages) {}

  std::size_t receive(transport::bytes input) override;
  const transport::http1_head* head() const noexcept {
    return parser_.is_done() ? &parser_.head() : nullptr;
  }
  /// Only while deciding.
  void answer(std::string_view content_type, transport::bytes content);

 private:
  void write_grant(const transport::address& bound) override;
  void write_refusal(refusal why) override;
  void read_request();
  void read_tunnel(const transport::http1_target& named);
  void read_forward(const transport::http1_target& named);
  void read_page(const transport::http1_target& named);
  bool is_authorized();
  void refuse_with(const transport::http1_problem& problem, std::error_code why);
  bool is_head_request() const noexcept;

  transport::http1_head_parser parser_;
  std::shared_ptr<const user_table> users_;
  bool pages_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
