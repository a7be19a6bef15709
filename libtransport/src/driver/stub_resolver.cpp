// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/stub_resolver.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include "driver/stub_resolver_driver.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

constexpr std::uint16_t dns_port = 53;

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view blanks = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

std::shared_ptr<detail::stub_resolver_driver> make(const asio::any_io_executor& executor,
                                                   std::vector<detail::dns_path> paths,
                                                   const stub_resolver_options& options) {
  const ready_list ready(executor);
  return make_driver<detail::stub_resolver_driver>(executor, ready, std::move(paths), options);
}

}  // namespace

resolver::~resolver() = default;

stub_resolver::stub_resolver(const asio::any_io_executor& executor,
                             const std::vector<address>& servers,
                             const stub_resolver_options& options) {
  const auto streams = std::make_shared<tcp_dialer>(executor);
  std::vector<detail::dns_path> paths;
  for (const address& each : servers) {
    const address server = each.port() == 0 ? each.with_port(dns_port) : each;
    paths.push_back({server, std::make_shared<stream_dns_exchange>(streams, server)});
  }
  driver_ = make(executor, std::move(paths), options);
}

stub_resolver::stub_resolver(std::vector<std::shared_ptr<dns_exchange>> servers,
                             const stub_resolver_options& options) {
  const auto executor = servers.front()->get_executor();
  std::vector<detail::dns_path> paths;
  for (auto& each : servers) paths.push_back({{}, std::move(each)});
  driver_ = make(executor, std::move(paths), options);
}

stub_resolver::~stub_resolver() { driver_->abort_all(); }
void stub_resolver::clear_cache() noexcept { driver_->clear_cache(); }
asio::any_io_executor stub_resolver::do_executor() noexcept { return driver_->executor(); }
void stub_resolver::do_resolve(const std::string& host, const resolve_options& wanted,
                               completion<resolve_signature> waiting) {
  driver_->resolve(host, wanted, std::move(waiting));
}

std::vector<address> parse_resolv_conf(std::string_view text) {
  std::vector<address> out;
  while (!text.empty() && out.size() < limits::max_dns_servers) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (take_word(line) != "nameserver") continue;
    if (const auto server = address::parse_ip(take_word(line), dns_port)) out.push_back(*server);
  }
  if (out.empty()) out.push_back(address::loopback_v4(dns_port));
  return out;
}

std::vector<address> system_name_servers() {
  std::ifstream file("/etc/resolv.conf");
  return parse_resolv_conf(std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace v0
}  // namespace strata::transport
