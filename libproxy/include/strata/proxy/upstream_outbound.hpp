// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "strata/mux/anytls.hpp"
#include "strata/proxy/core/outbound_opening.hpp"
#include "strata/proxy/export.hpp"
#include "strata/proxy/outbound.hpp"

namespace strata::proxy {
inline namespace v0 {

struct upstream_options {
  transport::target server{transport::address()};
  std::optional<core::credentials> credentials{};
};

/// Through a SOCKS5 proxy that `carriers` dials: TCP, TLS, or another outbound for a chain.
/// Datagrams go to the UDP port that the proxy names, from here, so they leave a chain; the
/// association ends with its TCP connection.
class STRATA_PROXY_API socks_outbound final : public outbound {
 public:
  socks_outbound(std::shared_ptr<transport::stream_dialer> carriers, upstream_options options);
  ~socks_outbound() override;

 private:
  struct state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override;
  void do_associate(transport::completion<associate_signature> waiting) override;

  std::shared_ptr<state> state_;
};

/// Through an HTTP proxy, by CONNECT.
class STRATA_PROXY_API http_outbound final : public outbound {
 public:
  http_outbound(std::shared_ptr<transport::stream_dialer> carriers, upstream_options options);
  ~http_outbound() override;

 private:
  struct state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override;

  std::shared_ptr<state> state_;
};

/// Through an anytls server: streams, and datagrams by udp-over-tcp.
class STRATA_PROXY_API anytls_outbound final : public outbound {
 public:
  explicit anytls_outbound(std::shared_ptr<mux::anytls_dialer> dialer);
  ~anytls_outbound() override;

 private:
  struct state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override;
  void do_associate(transport::completion<associate_signature> waiting) override;

  std::shared_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::proxy
