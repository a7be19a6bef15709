// SPDX-License-Identifier: Apache-2.0
// Our side of ./dev interop dns: a name server, and a DoH server on HTTP/1.1, with the zone of
// runner/dns.py.
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <iostream>
#include <string>

#include "strata/transport/core/ech_config.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"
#include "testkit/dns_servers.hpp"

namespace {

using namespace strata;

/// The ECHConfigList of runner/dns.py.
constexpr std::string_view ech =
    "AEX+DQBB8QAgACBl2nj6LhmbUqJJseiydASRUkdmEQGq/u/e5fXDLsFJSAAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29t"
    "AAA=";

testkit::dns_zone make_zone() {
  const auto ip = [](const char* text) { return transport::address::parse_ip(text, 0).value(); };
  const auto configs =
      transport::encode_ech_config_list(*transport::read_ech_config_list(transport::as_bytes(ech)));
  const auto elsewhere = transport::dns_name::parse("cdn.interop.test").value();
  const auto octets = transport::as_bytes("hello");
  testkit::dns_zone out;
  out.soa("interop.test", 60, 300).alias("www.interop.test", "host.interop.test");
  out.ip("host.interop.test", "192.0.2.1").ip("host.interop.test", "2001:db8::1");
  out.https("host.interop.test", {.priority = 1,
                                  .alpn = {"h2", "h3"},
                                  .port = 8443,
                                  .ipv4_hints = {ip("192.0.2.9")},
                                  .ipv6_hints = {ip("2001:db8::9")},
                                  .ech = configs});
  out.https("host.interop.test", {.priority = 2,
                                  .target = elsewhere,
                                  .mandatory = {1, 3},
                                  .alpn = {"h3"},
                                  .no_default_alpn = true,
                                  .port = 444,
                                  .others = {{667, {octets.begin(), octets.end()}}}});
  out.https("alias.interop.test", {.priority = 0, .target = elsewhere});
  out.ip("cdn.interop.test", "192.0.2.2");
  return out;
}

std::unique_ptr<transport::stream_listener> listen(asio::io_context& context, const char* cert,
                                                   const char* key) {
  transport::tls_server_options options;
  options.alpn = {"http/1.1"};
  options.credentials = {
      {transport::pem_source::from_file(cert), transport::pem_source::from_file(key)}};
  return std::make_unique<transport::tls_listener>(
      transport::tcp_listener::listen(context.get_executor(), transport::address::loopback_v4(0))
          .value(),
      transport::make_tls_server_context(options).value());
}

}  // namespace

int main(int count, char** values) {
  if (count != 3) {
    std::cerr << "strata-dns-server CERTIFICATE KEY\n";
    return 2;
  }
  asio::io_context context;
  testkit::name_server plain(context);
  testkit::doh_server secure(context, listen(context, values[1], values[2]));
  plain.zone = secure.zone = make_zone();
  std::cout << "doh on " << secure.where().string() << "\nlistening on " << plain.where().string()
            << std::endl;
  asio::signal_set stop(context, SIGTERM, SIGINT);
  stop.async_wait([&context](std::error_code, int) { context.stop(); });
  context.run();
}
