// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/dns/inquiry.hpp"
#include "strata/transport/core/dns_cache.hpp"
#include "strata/transport/core/resolution.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {

struct lookup_options {
  inquiry_options inquiries;
  dns_cache* cache = nullptr;  ///< None: everything is asked for.
};

/// Everything about one host: A, AAAA and HTTPS at once, then what those lead to.
class lookup {
 public:
  /// errc::invalid_argument for what is no name, and for one whose end is a number: others would
  /// take that for an IPv4 address. IP literals are not looked up.
  static result<std::unique_ptr<lookup>> make(std::string_view host, const resolve_options& wanted,
                                              const lookup_options& options, random_source& random);

  /// Call once, first.
  void start(time_point now);
  struct query {
    std::uint64_t id = 0;  ///< Names it to receive() and failed().
    attempt_route route;
    bytes message;  ///< Lent until the lookup is destroyed.
  };
  bool poll_query(time_point now, query& out);
  void receive(time_point now, std::uint64_t id, bytes message,
               std::chrono::seconds age = std::chrono::seconds(0));
  void failed(time_point now, std::uint64_t id, std::error_code error);
  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  /// Whether an answer to that query is still of use; else its carrier may be given up.
  bool is_open(std::uint64_t id) const;

  bool is_done() const noexcept { return is_done_; }
  /// name_not_found, name_server_failed, timed_out, or what the carriers failed with.
  const std::error_code& error() const noexcept { return error_; }
  const resolution& found() const noexcept { return found_; }

 private:
  enum class purpose : std::uint8_t { ipv4, ipv6, https };
  struct running {
    purpose what;
    std::size_t target;  // whose addresses; of HTTPS nothing
    inquiry asks;
    bool is_settled = false;
  };
  /// The addresses of one name, as far as they are known.
  struct target {
    dns_name name;
    std::vector<address> ipv4{}, ipv6{};
    std::vector<address> all() const;
  };

  lookup(dns_name host, const resolve_options& wanted, const lookup_options& options,
         random_source& random);
  bool answer_without_asking();
  void ask(purpose what, const dns_question& question, std::size_t of);
  void ask_addresses(std::size_t of);
  std::optional<std::size_t> target_of(const dns_name& name);
  void settle(time_point now);
  void settle_one(time_point now, std::size_t which);
  void take_addresses(running& from, const dns_answer& answer);
  void take_services(const dns_question& asked, const dns_answer& answer);
  void follow_alias(const std::vector<const https_record*>& aliases);
  bool is_waiting(bool for_https) const;
  void decide(time_point now);
  void finish();

  dns_name host_;
  resolve_options wanted_;
  lookup_options options_;
  random_source& random_;
  std::vector<std::unique_ptr<running>> inquiries_;
  std::vector<target> targets_;  // the first is the host
  struct service {
    https_record record;
    std::optional<std::size_t> target;
  };
  std::vector<service> services_;
  unsigned aliases_ = 0;
  std::optional<dns_name> alias_;  // where AliasMode has led
  std::optional<time_point> family_due_, https_due_;
  std::chrono::seconds ttl_ = std::chrono::seconds::max();
  std::error_code addresses_error_;  // of the host
  bool is_done_ = false;
  std::error_code error_;
  resolution found_;
};

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
