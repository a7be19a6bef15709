// SPDX-License-Identifier: Apache-2.0
// Asks name servers, or a DoH server, for the addresses and the HTTPS records of a host.
#include <asio/io_context.hpp>
#include <strata/h3/doh.hpp>
#include <strata/transport/core/error.hpp>
#include <strata/transport/stub_resolver.hpp>
#include <strata/transport/tcp.hpp>
#include <strata/transport/tls_stream.hpp>

#include <charconv>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

namespace {

namespace h3 = strata::h3;
namespace transport = strata::transport;

constexpr std::string_view usage =
    R"(dns-query HOST: the addresses of a host, and how its HTTPS service is reached.

  --server ADDRESS    a name server, with or without a port (default: those of /etc/resolv.conf)
  --doh NAME[/PATH]   asks this DoH server instead (path: /dns-query); needs --at
  --at ADDRESS        where it is, with or without a port (443): its name is looked up by nobody
  --http VERSION      1.1 or 3 (default 3)
  --get               the question in the path instead of the content
  --roots FILE        whom to trust (PEM; default: the system's)
  --port PORT         of the service (default 443)
)";

struct arguments {
  std::string host, server, doh, at, roots;
  std::string http = "3";
  std::string port = "443";
  bool gets = false;
};

[[noreturn]] void give_up(const std::string& why, int code = 2) {
  std::cerr << "dns-query: " << why << "\n";
  if (code == 2) std::cerr << usage;
  std::exit(code);
}

arguments parse_arguments(int count, char** values) {
  arguments out;
  const std::map<std::string_view, std::string*> with_value{
      {"--server", &out.server}, {"--doh", &out.doh},     {"--at", &out.at},
      {"--http", &out.http},     {"--roots", &out.roots}, {"--port", &out.port}};
  for (int i = 1; i < count; ++i) {
    const std::string_view word = values[i];
    if (word == "--help" || word == "-h") {
      std::cout << usage;
      std::exit(0);
    }
    if (const auto option = with_value.find(word); option != with_value.end()) {
      if (++i == count) give_up(std::string(word) + " needs a value");
      *option->second = values[i];
    } else if (word == "--get") {
      out.gets = true;
    } else if (word.starts_with("-") || !out.host.empty()) {
      give_up("what is '" + std::string(word) + "'?");
    } else {
      out.host = word;
    }
  }
  if (out.host.empty()) give_up("a host");
  if (out.doh.empty() != out.at.empty()) give_up("--doh and --at need each other");
  if (out.http != "3" && out.http != "1.1") give_up("--http is 1.1 or 3");
  return out;
}

transport::address address_of(const std::string& text, std::uint16_t port) {
  if (const auto whole = transport::address::parse(text)) return *whole;
  if (const auto ip = transport::address::parse_ip(text, port)) return *ip;
  give_up("'" + text + "' is no IP address");
}

std::uint16_t port_of(const std::string& text) {
  std::uint16_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) give_up("--port is a number");
  return out;
}

transport::tls_context tls_of(const arguments& asked, const std::string& alpn) {
  transport::tls_client_options options;
  options.alpn = {alpn};
  if (!asked.roots.empty()) {
    options.system_roots = false;
    options.roots = {transport::pem_source::from_file(asked.roots)};
  }
  auto made = transport::make_tls_client_context(options);
  if (!made) give_up(made.error().text, 1);
  return std::move(*made);
}

std::shared_ptr<transport::dns_exchange> doh_of(const arguments& asked,
                                                const asio::any_io_executor& executor) {
  const std::string name = asked.doh.substr(0, asked.doh.find('/'));
  const std::string path = name == asked.doh ? "/dns-query" : asked.doh.substr(name.size());
  const auto method = asked.gets ? transport::doh_method::get : transport::doh_method::post;
  const transport::address at = address_of(asked.at, 443);
  if (asked.http == "3") {
    h3::doh_options options;
    options.server = at;
    options.server_name = name;
    options.path = path;
    options.method = method;
    options.connection.tls = tls_of(asked, "h3");
    return std::make_shared<h3::doh_exchange>(executor, std::move(options));
  }
  transport::tls_stream_options streams;
  streams.server_name = name;
  auto dialer = std::make_shared<transport::tls_dialer>(
      std::make_shared<transport::tcp_dialer>(executor), tls_of(asked, "http/1.1"), streams);
  const std::string authority = at.port() == 443 ? name : name + ':' + std::to_string(at.port());
  return std::make_shared<transport::doh_exchange>(
      std::move(dialer), transport::doh_options{at, authority, path, method});
}

std::unique_ptr<transport::resolver> resolver_of(const arguments& asked,
                                                 const asio::any_io_executor& executor) {
  if (!asked.doh.empty()) {
    std::vector<std::shared_ptr<transport::dns_exchange>> servers{doh_of(asked, executor)};
    return std::make_unique<transport::stub_resolver>(std::move(servers));
  }
  std::vector<transport::address> servers;
  if (asked.server.empty())
    servers = transport::system_name_servers();
  else
    servers.push_back(address_of(asked.server, 53));
  return std::make_unique<transport::stub_resolver>(executor, servers);
}

void print(const transport::resolution& found) {
  for (const transport::address& each : found.addresses)
    std::cout << (each.is_v4() ? "A " : "AAAA ") << each.ip_string() << "\n";
  for (const transport::resolved_service& each : found.services) {
    std::cout << "HTTPS " << describe(each.record) << " @";
    for (const transport::address& at : each.addresses) std::cout << ' ' << at.ip_string();
    std::cout << "\n";
  }
  std::cout << "TTL " << found.ttl.count() << "\n";
  if (found.services_error)
    std::cerr << "dns-query: HTTPS: " << found.services_error.message() << "\n";
}

}  // namespace

int main(int count, char** values) {
  const arguments asked = parse_arguments(count, values);
  asio::io_context context;
  const auto names = resolver_of(asked, context.get_executor());
  transport::resolve_options wanted;
  wanted.port = port_of(asked.port);
  int code = 1;
  names->async_resolve(
      asked.host, wanted, [&](std::error_code error, std::unique_ptr<transport::resolution> found) {
        context.stop();
        if (error) {
          std::cerr << "dns-query: " << asked.host << ": " << error.message() << "\n";
          return;
        }
        print(*found);
        code = 0;
      });
  context.run();
  return code;
}
