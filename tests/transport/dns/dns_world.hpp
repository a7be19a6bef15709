// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

#include "core/dns/lookup.hpp"
#include "octets.hpp"
#include "testkit/dns_zone.hpp"
#include "testkit/fake_random.hpp"

namespace strata::testkit {

using transport::dns_message;
using transport::dns_question;
using transport::dns_record;
using transport::dns_type;
using transport::time_point;

/// One lookup against name servers of the test, in virtual time.
class dns_world {
 public:
  struct asked {
    transport::dns::attempt_route route;
    dns_message query;
    time_point when;
    transport::bytes raw;
  };
  struct said {
    transport::duration after{};
    std::variant<std::vector<std::byte>, std::error_code> what;
  };
  /// What comes back to one query.
  using server = std::function<std::vector<said>(const asked&)>;

  dns_world() { kinds = {transport::dns::path_kind{}}; }

  /// Runs one lookup to its end, which must come within an hour; the queries are in `log`.
  const transport::dns::lookup& resolve(std::string_view host, const server& servers);
  /// As resolve() with an honest server for the zone.
  const transport::dns::lookup& resolve(std::string_view host);
  /// An honest server's response to it.
  said honest(const asked& query, transport::duration after = std::chrono::milliseconds(10)) const;
  static said message(const dns_message& response,
                      transport::duration after = std::chrono::milliseconds(10));

  std::size_t count(dns_type type) const;

  dns_zone zone;
  std::vector<transport::dns::path_kind> kinds;
  transport::dns::lookup_options options;
  transport::resolve_options wanted;
  fake_random random{1};
  time_point now{std::chrono::hours(1)};
  std::vector<asked> log;

 private:
  void pump(const server& servers);
  void deliver();

  std::unique_ptr<transport::dns::lookup> lookup_;
  struct arrival {
    std::uint64_t id;
    std::variant<std::vector<std::byte>, std::error_code> what;
  };
  std::multimap<time_point, arrival> arrivals_;
};

/// Asks for one A record of a name that has one.
struct simple_world : dns_world {
  simple_world() {
    wanted = {.ipv6 = false, .https = false};
    zone.ip("example.org", "192.0.2.1").soa("org", 60);
  }
  std::string ask(const server& servers);
  /// The honest response, changed.
  template <class Change>
  said changed(const asked& query, Change change,
               transport::duration after = std::chrono::milliseconds(10)) const {
    auto response = zone.answer(query.query);
    change(response);
    return message(response, after);
  }
};

/// A response with nothing but this code.
dns_message with_code(const dns_world::asked& query, transport::dns_response_code code);

/// "192.0.2.1 2001:db8::1".
std::string text(const std::vector<transport::address>& addresses);
/// "1 svc.example. port=8443 @192.0.2.1; ...".
std::string text(const std::vector<transport::resolved_service>& services);

}  // namespace strata::testkit
