// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "strata/transport/core/dns_cache.hpp"
#include "strata/transport/dns_exchange.hpp"
#include "strata/transport/resolver.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {
class stub_resolver_driver;
}

struct stub_resolver_options {
  /// How long a server may be silent before the next one is asked as well; twice as long each
  /// round.
  std::chrono::milliseconds attempt_timeout{1500};
  unsigned rounds = 3;  ///< How often each server is asked.
  /// Names are asked for in upper and lower case by chance, and answers must repeat that: twice as
  /// hard to forge per letter. A few servers do not.
  bool shuffle_case = false;
  dns_cache_limits cache;
};

/// Asks name servers that do the searching, and remembers what they said (dns_cache).
class STRATA_TRANSPORT_API stub_resolver final : public resolver {
 public:
  /// Over UDP, by TCP what does not fit a datagram. Each query has a socket of its own, with a port
  /// by chance (RFC 5452). A server without a port has 53. At most limits::max_dns_servers.
  stub_resolver(const asio::any_io_executor& executor, const std::vector<address>& servers,
                const stub_resolver_options& options = {});
  /// Over what the exchanges carry, and over nothing else: DNS over HTTPS or TLS. There is at least
  /// one, and they run on one executor.
  stub_resolver(std::vector<std::shared_ptr<dns_exchange>> servers,
                const stub_resolver_options& options = {});
  ~stub_resolver() override;

  /// Forgets everything: for a change of the network.
  void clear_cache() noexcept;

 private:
  asio::any_io_executor do_executor() noexcept override;
  void do_resolve(const std::string& host, const resolve_options& wanted,
                  completion<resolve_signature>) override;

  std::shared_ptr<detail::stub_resolver_driver> driver_;
};

/// The name servers in the text of a resolv.conf, the first limits::max_dns_servers; the one of
/// this machine when it names none.
STRATA_TRANSPORT_API std::vector<address> parse_resolv_conf(std::string_view text);
/// Those of /etc/resolv.conf, as it is now.
STRATA_TRANSPORT_API std::vector<address> system_name_servers();

}  // namespace v0
}  // namespace strata::transport
