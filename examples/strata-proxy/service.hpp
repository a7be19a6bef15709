// SPDX-License-Identifier: Apache-2.0
// Servers and outbounds as a configuration says, exchanged without a connection lost.
#pragma once

#include <asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "configuration.hpp"
#include "strata/proxy/proxy_server.hpp"
#include "strata/proxy/tunnel_server.hpp"
#include "strata/transport/tls_stream.hpp"
#include "traffic.hpp"

/// The far end of tunnels, and where they lead.
struct running_tunnel_server {
  std::shared_ptr<std::string> name;  ///< Shared with its reports, because it may change.
  std::string outbound;
  std::shared_ptr<strata::proxy::tunnel_server> server;
  bool has_anytls = false;
  strata::transport::tls_listener* tls = nullptr;  ///< The server's; none without a certificate.
};

class service {
 public:
  using report_sink = std::function<void(const carried_request&)>;

  service(const asio::any_io_executor& executor, report_sink reports);

  /// What is wrong with the files that a configuration names; nothing changes.
  std::string check(const configuration& wanted) const;
  /// Brings everything to what the configuration says; empty, or why not, and then everything is as
  /// it was. Ports that stay are not closed, and sessions under way go on.
  std::string apply(const configuration& wanted);
  /// Stops accepting; `done` is called when all sessions have ended, with whether by themselves.
  void drain(std::chrono::seconds limit, std::function<void(bool)> done);

  const std::vector<std::unique_ptr<strata::proxy::proxy_server>>& servers() const {
    return servers_;
  }
  const std::vector<running_tunnel_server>& tunnel_servers() const { return tunnel_servers_; }
  /// Those that are not wanted any more and still have sessions.
  std::size_t retiring() const { return retiring_.size() + retiring_tunnels_.size(); }
  /// Requests under way, also of servers that are not wanted any more, and streams of tunnels.
  std::vector<carried_request> sessions() const;
  /// Since the start, with what is under way. Tunnels' streams count as of the rule "tunnel NAME".
  traffic figures() const;
  const std::shared_ptr<const strata::proxy::proxy_routes>& routes() const { return routes_; }

 private:
  strata::proxy::proxy_server_options options_of(const inbound_settings& wanted,
                                                 const configuration& all);
  std::string start(const inbound_settings& wanted, const configuration& all,
                    std::vector<std::unique_ptr<strata::proxy::proxy_server>>& into);
  struct kept_tunnel;
  std::string keep(const running_tunnel_server& before, const tunnel_server_settings& wanted,
                   std::vector<kept_tunnel>& into);
  std::string apply_tunnels(const configuration& wanted);
  std::string start(const tunnel_server_settings& wanted, std::vector<running_tunnel_server>& into);
  strata::proxy::tunnel_server_options options_of(const tunnel_server_settings& wanted,
                                                  const std::shared_ptr<std::string>& name,
                                                  std::string& problem);
  void retire(std::unique_ptr<strata::proxy::proxy_server> server, std::chrono::seconds limit);
  void retire(const running_tunnel_server& server, std::chrono::seconds limit);
  void note(const carried_request& of);

  asio::any_io_executor executor_;
  report_sink reports_;
  std::shared_ptr<const strata::proxy::proxy_routes> routes_;
  std::vector<std::unique_ptr<strata::proxy::proxy_server>> servers_;
  std::vector<running_tunnel_server> tunnel_servers_;
  std::vector<std::shared_ptr<strata::proxy::proxy_server>> retiring_;
  std::vector<running_tunnel_server> retiring_tunnels_;
  traffic ended_;
  std::shared_ptr<std::string> pac_ = std::make_shared<std::string>();
};
