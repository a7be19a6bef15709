// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "strata/proxy/ech_dialer.hpp"
#include "strata/transport/doh.hpp"
#include "strata/transport/stub_resolver.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"
#include "testkit/certificates.hpp"
#include "testkit/dns_servers.hpp"
#include "testkit/run_awaitable.hpp"
#include "wire_tap.hpp"

namespace strata::tests {

/// The certificate authority of the tests, and who it is believed by.
inline transport::tls_context client_tls(std::vector<std::string> alpn) {
  transport::tls_client_options options;
  options.alpn = std::move(alpn);
  options.system_roots = false;
  options.roots = {testkit::test_certificates::shared().authority.root()};
  return transport::make_tls_client_context(options).value();
}

/// A server of public.test and hidden.test with these keys.
inline transport::tls_context ech_server_tls(
    const std::vector<const transport::ech_key_pair*>& keys) {
  transport::tls_server_options options;
  options.alpn = {"http/1.1", "h2"};
  const auto& authority = testkit::test_certificates::shared().authority;
  for (const std::string name : {"public.test", "hidden.test"})
    options.credentials.push_back(authority.issue({.names = {name}}).credential());
  for (const transport::ech_key_pair* const key : keys)
    options.ech_keys.push_back({.pem = transport::pem_source::from_text(key->pem)});
  return transport::make_tls_server_context(options).value();
}

inline std::unique_ptr<transport::stream_listener> loopback(asio::io_context& context) {
  return *transport::tcp_listener::listen(context.get_executor(),
                                          transport::address::loopback_v4(0));
}

inline transport::tls_context doh_server_tls() {
  transport::tls_server_options options;
  options.alpn = {"http/1.1"};
  options.credentials = {testkit::test_certificates::shared().server.credential()};
  return transport::make_tls_server_context(options).value();
}

/// hidden.test, whose HTTPS record only a DoH server has, with all wires tapped.
struct ech_world {
  static constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

  explicit ech_world(const std::vector<const transport::ech_key_pair*>& server_keys)
      : tls(std::make_unique<transport::tls_listener>(loopback(context),
                                                      ech_server_tls(server_keys))),
        doh(context,
            std::make_unique<transport::tls_listener>(loopback(context), doh_server_tls())),
        server_wire(context, tls->local_address()),
        doh_wire(context, doh.where()) {
    transport::tls_stream_options how;
    how.server_name = "server.test";
    auto exchange = std::make_shared<transport::doh_exchange>(
        std::make_shared<transport::tls_dialer>(tcp(), client_tls({"http/1.1"}), how),
        transport::doh_options{.server = doh_wire.where(), .authority = "server.test"});
    names = std::make_shared<transport::stub_resolver>(
        std::vector<std::shared_ptr<transport::dns_exchange>>{std::move(exchange)});
    doh.zone.soa(".", 60).ip("edge.test", "127.0.0.1").ip("hidden.test", "127.0.0.1");
    accept();
  }

  std::shared_ptr<transport::stream_dialer> tcp() {
    return std::make_shared<transport::tcp_dialer>(context.get_executor());
  }
  transport::https_record record(std::vector<std::byte> ech) const {
    transport::https_record made;
    made.priority = 1;
    made.target = *transport::dns_name::parse("edge.test");
    made.port = server_wire.where().port();
    made.ech = std::move(ech);
    return made;
  }
  void publish(const transport::https_record& made, const std::string& owner = "hidden.test") {
    doh.zone.https(owner, made);
  }

  /// Dials hidden.test, port 443, and says what came of it; `near` is the stream.
  std::error_code dial(proxy::ech_dialer_options options = {},
                       transport::target where = {"hidden.test", 443}) {
    proxy::ech_dialer dialer(names, carriers ? carriers : tcp(), client_tls({"http/1.1"}),
                             std::move(options));
    return dial_by(dialer, std::move(where));
  }
  std::error_code dial_by(transport::stream_dialer& dialer, transport::target where) {
    std::error_code out;
    near.reset();
    testkit::run_awaitable(context,
                           [](ech_world& in, transport::stream_dialer& by, transport::target to,
                              std::error_code& result) -> asio::awaitable<void> {
                             auto [error, made] = co_await by.async_dial(std::move(to), quietly);
                             result = error;
                             in.near = std::move(made);
                           }(*this, dialer, std::move(where), out));
    return out;
  }
  void accept() {
    tls->async_accept([this](std::error_code error, std::unique_ptr<transport::stream> made) {
      if (error) return;
      far = std::move(made);
      accept();
    });
  }
  /// On none of the wires.
  bool is_hidden(std::string_view name) const {
    return !server_wire.has_heard(name) && !doh_wire.has_heard(name);
  }
  transport::connection_security security() const { return near->security().value(); }

  asio::io_context context;
  std::unique_ptr<transport::tls_listener> tls;
  testkit::doh_server doh;
  wire_tap server_wire;
  wire_tap doh_wire;
  std::shared_ptr<transport::stub_resolver> names;
  std::shared_ptr<transport::stream_dialer> carriers;  ///< TCP without.
  std::unique_ptr<transport::stream> near;
  std::unique_ptr<transport::stream> far;
};

inline const transport::ech_key_pair& key_in_dns() {
  static const transport::ech_key_pair made = transport::make_ech_key("public.test").value();
  return made;
}

}  // namespace strata::tests
