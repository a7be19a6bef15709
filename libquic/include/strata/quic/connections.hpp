// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "strata/quic/endpoint.hpp"
#include "strata/transport/connection_dialer.hpp"
#include "strata/transport/connection_listener.hpp"

namespace strata::quic {
inline namespace v0 {

/// A QUIC connection where any transport::connection will do. What only QUIC has (unidirectional
/// streams, priorities, statistics) stays with quic::connection.
STRATA_QUIC_API std::unique_ptr<transport::connection> make_transport_connection(connection from);

struct dialer_options {
  core::connection_config connection;
  /// What the certificate must name; empty: the target's host.
  std::string server_name;
  /// Where TLS offers ECH: what is accepted from a server that does not accept it. The one retry
  /// with configurations that the server has proven to be its own is always made.
  transport::ech_policy ech = transport::ech_policy::strict;
};

/// Dials from an endpoint, which may listen as well. Names are resolved by the system, and their
/// addresses tried one after the other.
class STRATA_QUIC_API endpoint_dialer final : public transport::connection_dialer {
 public:
  /// The endpoint must outlive this; connections may outlive both.
  explicit endpoint_dialer(endpoint& from, dialer_options options = {});
  ~endpoint_dialer() override;

 private:
  class dials;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::connection_signature>) override;

  std::unique_ptr<dials> dials_;
};

/// Accepts from an endpoint, which may dial as well.
class STRATA_QUIC_API endpoint_listener final : public transport::connection_listener {
 public:
  /// The endpoint must outlive this.
  explicit endpoint_listener(endpoint& from) noexcept;
  ~endpoint_listener() override;

  /// Stops the endpoint's accepting.
  void close() noexcept override;
  transport::address local_address() const noexcept override;

 private:
  asio::any_io_executor do_executor() noexcept override;
  void do_accept(transport::completion<transport::connection_signature>) override;

  endpoint& endpoint_;
  bool closed_ = false;
};

}  // namespace v0
}  // namespace strata::quic
