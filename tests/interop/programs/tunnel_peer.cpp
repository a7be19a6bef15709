// SPDX-License-Identifier: Apache-2.0
// Our side of the tunnel over WebSocket; takes and prints what peers/go-tunnel does:
//   strata-tunnel-peer server --listen ADDRESS --uuid UUID
//   strata-tunnel-peer client --listen ADDRESS --uuid UUID --server HOST:PORT
//                             [--mode yamux|simple] [--connect HOST:PORT]
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "strata/proxy/direct_outbound.hpp"
#include "strata/proxy/proxy_server.hpp"
#include "strata/proxy/tunnel_outbound.hpp"
#include "strata/proxy/tunnel_server.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::interop {
namespace {

struct arguments {
  std::string role, listen = "127.0.0.1:0", uuid, server, mode = "yamux", connect;
};

arguments parse(int count, char** words) {
  arguments out;
  const std::map<std::string_view, std::string*> texts{{"--listen", &out.listen},
                                                       {"--uuid", &out.uuid},
                                                       {"--server", &out.server},
                                                       {"--mode", &out.mode},
                                                       {"--connect", &out.connect}};
  if (count > 1) out.role = words[1];
  for (int i = 2; i + 1 < count; i += 2) {
    const auto found = texts.find(words[i]);
    if (found == texts.end()) throw std::runtime_error("unknown option");
    *found->second = words[i + 1];
  }
  if (out.role != "server" && out.role != "client") throw std::runtime_error("server or client");
  return out;
}

template <class T>
T need(transport::result<T> from) {
  if (!from) throw std::system_error(from.error());
  return std::move(*from);
}

/// Leads every connection to one target through an outbound.
class leader : public std::enable_shared_from_this<leader> {
 public:
  leader(std::unique_ptr<transport::stream_listener> from, std::shared_ptr<proxy::outbound> by,
         transport::target where)
      : from_(std::move(from)), by_(std::move(by)), where_(std::move(where)) {}

  void accept() {
    from_->async_accept([self = shared_from_this()](std::error_code error,
                                                    std::unique_ptr<transport::stream> client) {
      if (error) return;
      self->lead(std::move(client));
      self->accept();
    });
  }

 private:
  void lead(std::unique_ptr<transport::stream> client) {
    by_->async_dial(where_,
                    [self = shared_from_this(), client = std::move(client)](
                        std::error_code error, std::unique_ptr<transport::stream> there) mutable {
                      if (error) return void(std::fprintf(stderr, "%s\n", error.message().c_str()));
                      transport::async_relay(std::move(client), std::move(there), {},
                                             [](std::error_code, transport::relay_counters) {});
                    });
  }

  std::unique_ptr<transport::stream_listener> from_;
  std::shared_ptr<proxy::outbound> by_;
  transport::target where_;
};

int run(const arguments& given) {
  asio::io_context context;
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code, int) { context.stop(); });
  const transport::address at = need(transport::address::parse(given.listen));
  auto listener = need(transport::tcp_listener::listen(context.get_executor(), at));
  std::printf("listening %s\n", listener->local_address().string().c_str());
  std::fflush(stdout);
  if (given.role == "server") {
    proxy::direct_outbound_options direct;
    direct.filter = proxy::core::address_filter({.special_purpose = true});
    proxy::tunnel_server_options options;
    options.uuid = given.uuid;
    options.on_ended = [](const proxy::tunnel_report& each) {
      std::fprintf(stderr, "%s: %llu, %llu: %s\n", each.where.string().c_str(),
                   static_cast<unsigned long long>(each.moved.forth),
                   static_cast<unsigned long long>(each.moved.back), each.error.message().c_str());
    };
    const auto server = need(proxy::tunnel_server::start(
        std::move(listener),
        std::make_shared<proxy::direct_outbound>(context.get_executor(), direct), options));
    context.run();
    return 0;
  }
  proxy::tunnel_outbound_options options;
  options.server = need(transport::target::parse(given.server));
  options.uuid = given.uuid;
  options.mode =
      given.mode == "simple" ? proxy::core::tunnel_mode::simple : proxy::core::tunnel_mode::yamux;
  const auto way = std::make_shared<proxy::tunnel_outbound>(
      std::make_shared<transport::tcp_dialer>(context.get_executor()), options);
  std::unique_ptr<proxy::proxy_server> socks;
  if (given.connect.empty()) {
    auto routes = std::make_shared<proxy::proxy_routes>();
    routes->table = proxy::core::routing_table({}, "tunnel");
    routes->outbounds["tunnel"] = way;
    socks = need(proxy::proxy_server::start(std::move(listener), routes));
  } else {
    std::make_shared<leader>(std::move(listener), way,
                             need(transport::target::parse(given.connect)))
        ->accept();
  }
  context.run();
  return 0;
}

}  // namespace
}  // namespace strata::interop

int main(int count, char** words) {
  try {
    return strata::interop::run(strata::interop::parse(count, words));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
