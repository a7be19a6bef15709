// SPDX-License-Identifier: Apache-2.0
#include "service.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "outbounds.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"

namespace {

using namespace strata;
using server_pointer = std::unique_ptr<proxy::proxy_server>;

std::string read_file(const std::string& path, std::string& problem) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) problem = "pac: the file '" + path + "' cannot be read";
  return text.str();
}

}  // namespace

service::service(const asio::any_io_executor& executor, report_sink reports)
    : executor_(executor), reports_(std::move(reports)) {}

std::string service::apply(const configuration& wanted) {
  std::string problem;
  std::string pac;
  if (!wanted.pac.empty()) pac = read_file(wanted.pac, problem);
  if (!problem.empty()) return problem;
  auto routes = make_routes(executor_, wanted, problem);
  if (!problem.empty()) return problem;
  const auto before = std::exchange(routes_, std::move(routes));
  std::vector<server_pointer> added;
  std::vector<std::pair<proxy::proxy_server*, const inbound_settings*>> kept;
  for (const inbound_settings& each : wanted.inbounds) {
    const auto same = std::ranges::find_if(servers_, [&](const server_pointer& server) {
      return server->name() == each.name && each.listen.port() != 0 &&
             server->local_address() == each.listen;
    });
    if (same != servers_.end()) {
      kept.emplace_back(same->get(), &each);
      continue;
    }
    problem = start(each, wanted, added);
    if (problem.empty()) continue;
    routes_ = before;
    return problem;
  }
  std::vector<std::unique_ptr<proxy::tunnel_server>> tunnels;
  for (const tunnel_server_settings& each : wanted.tunnel_servers) {
    const auto same = std::ranges::find_if(tunnel_servers_, [&](const auto& server) {
      return server && each.listen.port() != 0 && server->local_address() == each.listen;
    });
    if (same != tunnel_servers_.end()) {
      (*same)->use(routes_->outbounds.at(each.outbound));
      tunnels.push_back(std::move(*same));
      continue;
    }
    problem = start(each, tunnels);
    if (problem.empty()) continue;
    for (auto& kept_one : tunnels) tunnel_servers_.push_back(std::move(kept_one));
    std::erase(tunnel_servers_, nullptr);
    routes_ = before;
    return problem;
  }
  tunnel_servers_ = std::move(tunnels);
  *pac_ = std::move(pac);
  for (server_pointer& server : servers_) {
    const auto found = std::ranges::find(
        kept, server.get(), &std::pair<proxy::proxy_server*, const inbound_settings*>::first);
    if (found == kept.end()) {
      retire(std::move(server), wanted.drain);
      continue;
    }
    server->use(routes_);
    server->use(found->second->protocols.users);
    added.push_back(std::move(server));
  }
  servers_ = std::move(added);
  return {};
}

std::string service::start(const inbound_settings& wanted, const configuration& all,
                           std::vector<server_pointer>& into) {
  auto listener = transport::tcp_listener::listen(executor_, wanted.listen);
  if (!listener)
    return "inbound '" + wanted.name + "': " + wanted.listen.string() + ": " +
           listener.error().message();
  proxy::proxy_server_options options;
  options.name = wanted.name;
  options.inbound = wanted.protocols;
  options.inbound.pages = !all.pac.empty();
  options.open_to_strangers = wanted.open_to_strangers;
  if (wanted.max_connections != 0) options.max_connections = wanted.max_connections;
  if (wanted.max_per_source != 0) options.max_per_source = wanted.max_per_source;
  options.max_per_user = wanted.max_per_user;
  options.idle_timeout = wanted.idle_timeout;
  options.on_ended = [this](const proxy::session_report& of) { note(of); };
  options.page = [pac = pac_](std::string_view path) -> std::optional<proxy::proxy_page> {
    if (path != "/proxy.pac" || pac->empty()) return std::nullopt;
    return proxy::proxy_page{"application/x-ns-proxy-autoconfig", *pac};
  };
  auto server = proxy::proxy_server::start(std::move(*listener), routes_, std::move(options));
  if (!server) return "inbound '" + wanted.name + "': " + server.error().message();
  into.push_back(std::move(*server));
  return {};
}

std::string service::start(const tunnel_server_settings& wanted,
                           std::vector<std::unique_ptr<proxy::tunnel_server>>& into) {
  const std::string name = "tunnel_server '" + wanted.name + "': ";
  auto listening = transport::tcp_listener::listen(executor_, wanted.listen);
  if (!listening) return name + wanted.listen.string() + ": " + listening.error().message();
  std::unique_ptr<transport::stream_listener> carriers = std::move(*listening);
  if (!wanted.certificate.empty()) {
    transport::tls_server_options tls;
    tls.credentials.push_back({transport::pem_source::from_file(wanted.certificate),
                               transport::pem_source::from_file(wanted.key)});
    tls.alpn = {"http/1.1"};
    for (const std::string& file : wanted.ech_keys)
      tls.ech_keys.push_back({.pem = transport::pem_source::from_file(file)});
    auto context = transport::make_tls_server_context(tls);
    if (!context) return name + context.error().text;
    carriers = std::make_unique<transport::tls_listener>(std::move(carriers), std::move(*context));
  }
  proxy::tunnel_server_options options;
  options.uuid = wanted.uuid;
  if (!wanted.anytls_passwords.empty()) {
    std::vector<mux::core::anytls_user> users;
    for (const std::string& each : wanted.anytls_passwords)
      users.push_back({.name = "user " + std::to_string(users.size() + 1), .password = each});
    auto made = mux::core::anytls_users::make(users);
    if (!made) return name + "anytls_passwords: each must be there once, and none empty";
    options.anytls.emplace().session.users = std::move(*made);
  }
  auto server = proxy::tunnel_server::start(std::move(carriers),
                                            routes_->outbounds.at(wanted.outbound), options);
  if (!server) return name + server.error().message();
  into.push_back(std::move(*server));
  return {};
}

void service::retire(server_pointer server, std::chrono::seconds limit) {
  std::shared_ptr<proxy::proxy_server> held = std::move(server);
  retiring_.push_back(held);
  held->async_drain(limit, [this, which = held.get()](std::error_code) {
    std::erase_if(retiring_, [&](const auto& each) { return each.get() == which; });
  });
}

void service::drain(std::chrono::seconds limit, std::function<void(bool)> done) {
  const auto left = std::make_shared<std::size_t>(servers_.size() + tunnel_servers_.size());
  const auto in_order = std::make_shared<bool>(true);
  const auto drained = [left, in_order, done](std::error_code error) {
    if (error) *in_order = false;
    if (--*left == 0) done(*in_order);
  };
  for (const server_pointer& each : servers_) each->async_drain(limit, drained);
  for (const auto& each : tunnel_servers_) each->async_drain(limit, drained);
}

void service::note(const proxy::session_report& of) {
  rule_figures& figures = figures_[of.rule.empty() ? "default" : of.rule];
  ++figures.requests;
  if (of.error) ++figures.failures;
  figures.moved.forth += of.moved.forth;
  figures.moved.back += of.moved.back;
  if (reports_) reports_(of);
}
