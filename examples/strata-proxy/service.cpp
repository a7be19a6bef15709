// SPDX-License-Identifier: Apache-2.0
#include "service.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "outbounds.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"

namespace {

using namespace strata;
using server_pointer = std::unique_ptr<proxy::proxy_server>;

/// One that stays, and what it is to be.
using kept_server = std::pair<proxy::proxy_server*, const inbound_settings*>;

auto find_kept(const std::vector<kept_server>& among, const proxy::proxy_server* server) {
  return std::ranges::find(among, server, &kept_server::first);
}

const char* text_of(proxy::tunnel_report::carrier by) {
  switch (by) {
    case proxy::tunnel_report::carrier::yamux: return "tunnel-yamux";
    case proxy::tunnel_report::carrier::simple: return "tunnel-simple";
    case proxy::tunnel_report::carrier::anytls: return "anytls";
  }
  return "?";
}

/// A tunnelled stream as what it asks for.
carried_request request_of(const std::string& server, const proxy::tunnel_report& of) {
  proxy::session_report made;
  made.inbound = server;
  made.client = of.client;
  made.request.user = of.user;
  made.request.where = of.where;
  if (of.datagrams) made.request.asked = proxy::core::command::udp_associate;
  made.rule = "tunnel " + server;
  made.outbound = of.outbound;
  made.error = of.error;
  made.moved = of.moved;
  made.lasted = of.lasted;
  made.connecting = of.connecting;
  return {std::move(made), text_of(of.by)};
}

std::string read_file(const std::string& path, std::string& problem) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) problem = "pac: the file '" + path + "' cannot be read";
  return text.str();
}

std::optional<transport::tls_context> tls_of(const tunnel_server_settings& wanted,
                                             std::string& problem) {
  transport::tls_server_options tls;
  tls.credentials.push_back({transport::pem_source::from_file(wanted.certificate),
                             transport::pem_source::from_file(wanted.key)});
  tls.alpn = {"http/1.1"};
  for (const std::string& file : wanted.ech_keys)
    tls.ech_keys.push_back({.pem = transport::pem_source::from_file(file)});
  auto context = transport::make_tls_server_context(tls);
  if (context) return std::move(*context);
  problem = "tunnel_server '" + wanted.name + "': " + context.error().text;
  return std::nullopt;
}

auto anytls_users_of(const tunnel_server_settings& wanted) {
  std::vector<mux::core::anytls_user> users;
  for (const std::string& each : wanted.anytls_passwords)
    users.push_back({.name = "user " + std::to_string(users.size() + 1), .password = each});
  return mux::core::anytls_users::make(users);
}

}  // namespace

service::service(const asio::any_io_executor& executor, report_sink reports)
    : executor_(executor), reports_(std::move(reports)) {}

std::string service::check(const configuration& wanted) const {
  std::string problem;
  if (!wanted.pac.empty()) read_file(wanted.pac, problem);
  if (problem.empty()) make_routes(executor_, wanted, problem);
  for (const tunnel_server_settings& each : wanted.tunnel_servers)
    if (problem.empty() && !each.certificate.empty()) tls_of(each, problem);
  return problem;
}

std::string service::apply(const configuration& wanted) {
  std::string problem;
  std::string pac;
  if (!wanted.pac.empty()) pac = read_file(wanted.pac, problem);
  if (!problem.empty()) return problem;
  auto routes = make_routes(executor_, wanted, problem);
  if (!problem.empty()) return problem;
  const auto before = std::exchange(routes_, std::move(routes));
  std::vector<server_pointer> added;
  std::vector<kept_server> kept;
  for (const inbound_settings& each : wanted.inbounds) {
    const auto same = std::ranges::find_if(servers_, [&](const server_pointer& server) {
      return each.listen.port() != 0 && server->local_address() == each.listen;
    });
    const bool is_taken = same != servers_.end() && find_kept(kept, same->get()) != kept.end();
    if (same != servers_.end() && !is_taken) {
      kept.emplace_back(same->get(), &each);
      continue;
    }
    problem = start(each, wanted, added);
    if (problem.empty()) continue;
    routes_ = before;
    return problem;
  }
  problem = apply_tunnels(wanted);
  if (!problem.empty()) {
    routes_ = before;
    return problem;
  }
  *pac_ = std::move(pac);
  for (server_pointer& server : servers_) {
    const auto found = find_kept(kept, server.get());
    if (found == kept.end()) {
      retire(std::move(server), wanted.drain);
      continue;
    }
    server->use(routes_);
    // What it would refuse, an open relay, is no valid configuration.
    server->use(options_of(*found->second, wanted));
    added.push_back(std::move(server));
  }
  servers_ = std::move(added);
  return {};
}

proxy::proxy_server_options service::options_of(const inbound_settings& wanted,
                                                const configuration& all) {
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
  return options;
}

std::string service::start(const inbound_settings& wanted, const configuration& all,
                           std::vector<server_pointer>& into) {
  auto listener = transport::tcp_listener::listen(executor_, wanted.listen);
  if (!listener)
    return "inbound '" + wanted.name + "': " + wanted.listen.string() + ": " +
           listener.error().message();
  auto server = proxy::proxy_server::start(std::move(*listener), routes_, options_of(wanted, all));
  if (!server) return "inbound '" + wanted.name + "': " + server.error().message();
  into.push_back(std::move(*server));
  return {};
}

/// One that stays, what it is to be, and what was read for that before anything changed.
struct service::kept_tunnel {
  const running_tunnel_server& before;
  const tunnel_server_settings& wanted;
  std::optional<transport::tls_context> tls;
  proxy::tunnel_server_options options;
};

std::string service::keep(const running_tunnel_server& before, const tunnel_server_settings& wanted,
                          std::vector<kept_tunnel>& into) {
  std::string problem;
  kept_tunnel made{before, wanted, {}, options_of(wanted, before.name, problem)};
  const auto stays_as = [&](const char* what) {
    return "tunnel_server '" + wanted.name + "': it has " + what +
           " from its start or never: give it another address, or restart";
  };
  if ((before.tls == nullptr) != wanted.certificate.empty()) return stays_as("TLS");
  if (before.has_anytls != made.options.anytls.has_value()) return stays_as("anytls");
  if (before.tls != nullptr && problem.empty()) made.tls = tls_of(wanted, problem);
  if (problem.empty()) into.push_back(std::move(made));
  return problem;
}

std::string service::apply_tunnels(const configuration& wanted) {
  std::string problem;
  std::vector<running_tunnel_server> added;
  std::vector<kept_tunnel> kept;
  const auto is_kept = [&](const running_tunnel_server& one) {
    return std::ranges::any_of(kept, [&](const auto& each) { return &each.before == &one; });
  };
  for (const tunnel_server_settings& each : wanted.tunnel_servers) {
    const auto same = std::ranges::find_if(tunnel_servers_, [&](const auto& running) {
      return each.listen.port() != 0 && running.server->local_address() == each.listen;
    });
    const bool stays = same != tunnel_servers_.end() && !is_kept(*same);
    problem = stays ? keep(*same, each, kept) : start(each, added);
    if (!problem.empty()) return problem;
  }
  for (const running_tunnel_server& each : tunnel_servers_)
    if (!is_kept(each)) retire(each, wanted.drain);
  for (kept_tunnel& each : kept) {
    running_tunnel_server& now = added.emplace_back(each.before);
    *now.name = each.wanted.name;
    now.outbound = each.wanted.outbound;
    if (each.tls) now.tls->use(std::move(*each.tls));
    now.server->use(std::move(each.options));  // keep() has seen to what it would refuse
    now.server->use(routes_->outbounds.at(now.outbound), now.outbound);
  }
  tunnel_servers_ = std::move(added);
  return {};
}

proxy::tunnel_server_options service::options_of(const tunnel_server_settings& wanted,
                                                 const std::shared_ptr<std::string>& name,
                                                 std::string& problem) {
  proxy::tunnel_server_options options;
  options.uuid = wanted.uuid;
  options.outbound = wanted.outbound;
  options.on_ended = [this, name](const proxy::tunnel_report& of) { note(request_of(*name, of)); };
  if (wanted.anytls_passwords.empty()) return options;
  if (auto made = anytls_users_of(wanted))
    options.anytls.emplace().session.users = std::move(*made);
  else
    problem = "tunnel_server '" + wanted.name +
              "': anytls_passwords: each must be there once, and none empty";
  return options;
}

std::string service::start(const tunnel_server_settings& wanted,
                           std::vector<running_tunnel_server>& into) {
  std::string problem;
  running_tunnel_server made{.name = std::make_shared<std::string>(wanted.name),
                             .outbound = wanted.outbound};
  auto options = options_of(wanted, made.name, problem);
  if (!problem.empty()) return problem;
  made.has_anytls = options.anytls.has_value();
  const std::string name = "tunnel_server '" + wanted.name + "': ";
  auto listening = transport::tcp_listener::listen(executor_, wanted.listen);
  if (!listening) return name + wanted.listen.string() + ": " + listening.error().message();
  std::unique_ptr<transport::stream_listener> carriers = std::move(*listening);
  if (!wanted.certificate.empty()) {
    auto context = tls_of(wanted, problem);
    if (!context) return problem;
    auto over = std::make_unique<transport::tls_listener>(std::move(carriers), std::move(*context));
    made.tls = over.get();
    carriers = std::move(over);
  }
  auto server = proxy::tunnel_server::start(
      std::move(carriers), routes_->outbounds.at(wanted.outbound), std::move(options));
  if (!server) return name + server.error().message();
  made.server = std::move(*server);
  into.push_back(std::move(made));
  return {};
}

void service::retire(server_pointer server, std::chrono::seconds limit) {
  std::shared_ptr<proxy::proxy_server> held = std::move(server);
  retiring_.push_back(held);
  held->async_drain(limit, [this, which = held.get()](std::error_code) {
    std::erase_if(retiring_, [&](const auto& each) { return each.get() == which; });
  });
}

void service::retire(const running_tunnel_server& server, std::chrono::seconds limit) {
  retiring_tunnels_.push_back(server);
  server.server->async_drain(limit, [this, which = server.server.get()](std::error_code) {
    std::erase_if(retiring_tunnels_, [&](const auto& each) { return each.server.get() == which; });
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
  for (const auto& each : tunnel_servers_) each.server->async_drain(limit, drained);
}

void service::note(const carried_request& of) {
  ended_.add_ended(of);
  if (reports_) reports_(of);
}

std::vector<carried_request> service::sessions() const {
  std::vector<carried_request> all;
  const auto add = [&](const auto& servers) {
    for (const auto& server : servers)
      for (auto& each : server->sessions()) all.emplace_back(std::move(each));
  };
  const auto add_streams = [&](const std::vector<running_tunnel_server>& servers) {
    for (const running_tunnel_server& each : servers)
      for (const auto& stream : each.server->streams())
        all.push_back(request_of(*each.name, stream));
  };
  add(servers_);
  add(retiring_);
  add_streams(tunnel_servers_);
  add_streams(retiring_tunnels_);
  return all;
}

traffic service::figures() const {
  traffic made = ended_;
  for (const carried_request& each : sessions()) made.add_current(each);
  return made;
}
