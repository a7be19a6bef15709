// SPDX-License-Identifier: Apache-2.0
#include "dns_world.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <optional>

namespace strata::testkit {

using namespace transport;

dns_world::said dns_world::message(const dns_message& response, duration after) {
  return {after, encode_dns_message(response).value()};
}

dns_world::said dns_world::honest(const asked& query, duration after) const {
  return message(zone.answer(query.query), after);
}

const dns::lookup& dns_world::resolve(std::string_view host) {
  return resolve(host, [this](const asked& query) { return std::vector{honest(query)}; });
}

const dns::lookup& dns_world::resolve(std::string_view host, const server& servers) {
  options.inquiries.paths = kinds;
  arrivals_.clear();
  log.clear();
  auto made = dns::lookup::make(host, wanted, options, random);
  REQUIRE(made);
  lookup_ = std::move(*made);
  const time_point end = now + std::chrono::hours(1);
  lookup_->start(now);
  while (!lookup_->is_done()) {
    pump(servers);
    if (lookup_->is_done()) break;
    std::optional<time_point> next = lookup_->next_timeout();
    REQUIRE(next);
    if (!arrivals_.empty()) next = std::min(*next, arrivals_.begin()->first);
    now = std::max(now, *next);
    REQUIRE(now < end);
    deliver();
    lookup_->handle_timeout(now);
  }
  CHECK_FALSE(lookup_->next_timeout());
  return *lookup_;
}

void dns_world::pump(const server& servers) {
  for (dns::lookup::query query; lookup_->poll_query(now, query);) {
    CHECK(lookup_->is_open(query.id));
    const auto decoded = decode_dns_message(query.message);
    REQUIRE(decoded);
    log.push_back({query.route, *decoded, now, query.message});
    for (said& each : servers(log.back()))
      arrivals_.emplace(now + each.after, arrival{query.id, std::move(each.what)});
  }
}

void dns_world::deliver() {
  while (!arrivals_.empty() && arrivals_.begin()->first <= now) {
    const arrival next = std::move(arrivals_.begin()->second);
    arrivals_.erase(arrivals_.begin());
    if (const auto* message = std::get_if<std::vector<std::byte>>(&next.what))
      lookup_->receive(now, next.id, *message);
    else
      lookup_->failed(now, next.id, std::get<std::error_code>(next.what));
  }
}

std::size_t dns_world::count(dns_type type) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      log, [type](const asked& each) { return each.query.question->type == type; }));
}

std::string simple_world::ask(const server& servers) {
  const auto& done = resolve("example.org", servers);
  return done.error() ? done.error().message() : text(done.found().addresses);
}

dns_message with_code(const dns_world::asked& query, dns_response_code code) {
  dns_message out;
  out.header = {.id = query.query.header.id, .is_response = true};
  out.question = query.query.question;
  out.response_code = code;
  if (static_cast<unsigned>(code) > 15) out.extension = dns_extension{1232};
  return out;
}

std::string text(const std::vector<address>& addresses) {
  std::string out;
  for (const address& each : addresses) out += (out.empty() ? "" : " ") + each.ip_string();
  return out;
}

std::string text(const std::vector<resolved_service>& services) {
  std::string out;
  for (const resolved_service& each : services)
    out += (out.empty() ? "" : "; ") + describe(each.record) + " @" + text(each.addresses);
  return out;
}

}  // namespace strata::testkit
