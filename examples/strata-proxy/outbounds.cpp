// SPDX-License-Identifier: Apache-2.0
#include "outbounds.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "program/program.hpp"
#include "strata/proxy/direct_outbound.hpp"
#include "strata/proxy/ech_dialer.hpp"
#include "strata/proxy/outbound_group.hpp"
#include "strata/proxy/tunnel_outbound.hpp"
#include "strata/proxy/upstream_outbound.hpp"
#include "strata/transport/core/digest.hpp"
#include "strata/transport/doh.hpp"
#include "strata/transport/stub_resolver.hpp"
#include "strata/transport/system_resolver.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_session_store.hpp"
#include "strata/transport/tls_stream.hpp"

namespace {

using namespace strata;
using outbound_pointer = std::shared_ptr<proxy::outbound>;
using carrier_pointer = std::shared_ptr<transport::stream_dialer>;

class builder {
 public:
  builder(const asio::any_io_executor& executor, const configuration& from, std::string& problem)
      : executor_(executor), problem_(problem), made_(std::make_shared<proxy::proxy_routes>()) {
    if (!from.dns.doh_name.empty()) {
      made_->names = over_https(from.dns);
      if (!made_->names) return;
    } else if (from.dns.servers.empty()) {
      made_->names = std::make_shared<transport::system_resolver>(executor);
    } else {
      made_->names = std::make_shared<transport::stub_resolver>(executor, from.dns.servers);
    }
    made_->table = proxy::core::routing_table(from.rules, from.fallback);
    for (const outbound_settings& each : from.outbounds) {
      auto out = std::visit([this](const auto& how) { return make(how); }, each.how);
      if (!problem.empty()) {
        problem = "outbound '" + each.name + "': " + problem;
        return;
      }
      made_->outbounds.emplace(each.name, std::move(out));
    }
  }

  std::shared_ptr<proxy::proxy_routes> result() { return made_; }

 private:
  outbound_pointer make(const direct_settings& how) {
    proxy::direct_outbound_options options;
    options.names = made_->names;
    options.filter = proxy::core::address_filter(how.filter);
    return std::make_shared<proxy::direct_outbound>(executor_, std::move(options));
  }

  outbound_pointer make(const upstream_settings& how) {
    carrier_pointer carriers = std::make_shared<transport::tcp_dialer>(executor_);
    if (!how.via.empty()) carriers = made_->outbounds.at(how.via);
    if (how.tls) carriers = with_tls(std::move(carriers), *how.tls, how);
    if (!carriers) return nullptr;
    const proxy::upstream_options options{.server = how.server, .credentials = how.credentials};
    switch (how.kind) {
      case upstream_settings::kind_type::socks:
        return std::make_shared<proxy::socks_outbound>(std::move(carriers), options);
      case upstream_settings::kind_type::http:
        return std::make_shared<proxy::http_outbound>(std::move(carriers), options);
      case upstream_settings::kind_type::tunnel: {
        proxy::tunnel_outbound_options tunnel;
        tunnel.server = how.server;
        tunnel.uuid = how.password;
        tunnel.path = how.path;
        tunnel.mode =
            how.simple ? proxy::core::tunnel_mode::simple : proxy::core::tunnel_mode::yamux;
        if (how.max_sessions != 0) tunnel.max_sessions = how.max_sessions;
        if (how.max_streams != 0) tunnel.max_streams = how.max_streams;
        return std::make_shared<proxy::tunnel_outbound>(std::move(carriers), tunnel);
      }
      case upstream_settings::kind_type::anytls: break;
    }
    mux::anytls_options anytls;
    anytls.session.password =
        program::value_or_exit(transport::sha256(transport::as_bytes(how.password)), "SHA-256");
    // A client of this proxy is told of success when the server says that it has connected.
    anytls.await_answer = true;
    return std::make_shared<proxy::anytls_outbound>(
        std::make_shared<mux::anytls_dialer>(std::move(carriers), how.server, anytls));
  }

  outbound_pointer make(const group_settings& how) {
    std::vector<proxy::outbound_member> members;
    for (const std::string& name : how.members)
      members.push_back({.name = name, .by = made_->outbounds.at(name)});
    return std::make_shared<proxy::outbound_group>(executor_, std::move(members), how.options);
  }

  std::optional<transport::tls_context> context_of(const tls_settings& how, bool http) {
    transport::tls_client_options options;
    options.insecure_skip_verification = how.insecure;
    options.sessions = std::make_shared<transport::tls_session_store>();
    if (http) options.alpn = {"http/1.1"};
    if (!how.pin.empty()) options.pinned_certificates.push_back(*program::hash_of(how.pin));
    if (!how.authority.empty()) {
      options.system_roots = false;
      options.roots.push_back(transport::pem_source::from_file(how.authority));
    }
    auto context = transport::make_tls_client_context(options);
    if (context) return *context;
    problem_ = context.error().text;
    return std::nullopt;
  }

  carrier_pointer with_tls(carrier_pointer carriers, const tls_settings& how,
                           const upstream_settings& of) {
    const bool http = of.kind == upstream_settings::kind_type::tunnel;
    const auto context = context_of(how, http);
    if (!context) return nullptr;
    if (!how.ech) {
      transport::tls_stream_options stream;
      stream.server_name = how.server_name;
      return std::make_shared<transport::tls_dialer>(std::move(carriers), *context, stream);
    }
    proxy::ech_dialer_options options;
    options.tls.server_name = how.server_name;
    if (!of.via.empty()) options.route = proxy::ech_route::names;
    return std::make_shared<proxy::ech_dialer>(made_->names, std::move(carriers), *context,
                                               options);
  }

  std::shared_ptr<transport::resolver> over_https(const dns_settings& how) {
    const auto context = context_of({.authority = how.doh_authority}, true);
    if (!context) return nullptr;
    transport::tls_stream_options stream;
    stream.server_name = how.doh_name.substr(0, how.doh_name.find(':'));
    auto tls = std::make_shared<transport::tls_dialer>(
        std::make_shared<transport::tcp_dialer>(executor_), *context, stream);
    transport::doh_options options{
        .server = how.doh_address, .authority = how.doh_name, .path = how.doh_path};
    std::vector<std::shared_ptr<transport::dns_exchange>> servers{
        std::make_shared<transport::doh_exchange>(std::move(tls), std::move(options))};
    return std::make_shared<transport::stub_resolver>(std::move(servers));
  }

  asio::any_io_executor executor_;
  std::string& problem_;
  std::shared_ptr<proxy::proxy_routes> made_;
};

}  // namespace

std::shared_ptr<const proxy::proxy_routes> make_routes(const asio::any_io_executor& executor,
                                                       const configuration& from,
                                                       std::string& problem) {
  auto made = builder(executor, from, problem).result();
  return problem.empty() ? made : nullptr;
}
