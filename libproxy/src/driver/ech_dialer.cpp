// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/ech_dialer.hpp"

#include <algorithm>
#include <optional>
#include <ranges>
#include <utility>

#include "driver/race_dial.hpp"
#include "driver/run_opening.hpp"
#include "driver/spawned_operations.hpp"
#include "strata/transport/core/ech_config.hpp"
#include "strata/transport/driver/ech_attempts.hpp"

namespace strata::proxy {
inline namespace v0 {

using stream_operations = spawned_operations<transport::stream>;

namespace {

using transport::stream;
using transport::target;

/// One way to the server: where its carriers go, and with which configuration; without one in
/// plain.
struct way {
  std::vector<std::byte> config_list{};
  std::vector<target> places{};
  /// Whose addresses the resolver did not have in time.
  std::optional<target> unknown{};
};

struct ways {
  std::error_code error{};
  std::vector<way> all{};
};

bool is_usable(transport::bytes config_list) {
  const auto configs = transport::read_ech_config_list(config_list);
  return configs && std::ranges::any_of(*configs, [](const transport::ech_config& each) {
           return transport::ech_config_unusable(each).empty();
         });
}

/// RFC 9460 section 7.1: who has none of the protocols in common must not use the record.
bool speaks(const transport::https_record& record, const transport::tls_context& ours) {
  if (record.alpn.empty() || ours.alpn().empty()) return true;
  return std::ranges::any_of(ours.alpn(), [&](const std::string& each) {
    return std::ranges::find(record.alpn, each) != record.alpn.end() ||
           (each == "http/1.1" && !record.no_default_alpn);
  });
}

/// One of each family in turn (RFC 8305 section 4), in the given order otherwise.
std::vector<target> interleaved(const std::vector<transport::address>& addresses,
                                std::uint16_t port) {
  std::vector<transport::address> first, second;
  for (const transport::address& each : addresses)
    (each.is_v4() == addresses.front().is_v4() ? first : second).push_back(each.with_port(port));
  std::vector<target> made;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) made.emplace_back(first[i]);
    if (i < second.size()) made.emplace_back(second[i]);
  }
  return made;
}

/// That a name server refused a connection must not look as if the target had.
std::error_code of_lookup(const std::error_code& error) {
  const bool is_told = !error || error == transport::errc::name_not_found ||
                       error == transport::errc::timed_out || error == transport::errc::aborted ||
                       error == transport::errc::limit_exceeded;
  return is_told ? error : make_error_code(transport::errc::name_server_failed);
}

/// Why a strict client stops: what the name servers failed with, or that they have nothing.
std::error_code without_configuration(const transport::resolution& found) {
  const std::error_code why = found.services_error;
  const bool is_told =
      why == transport::errc::name_server_failed || why == transport::errc::timed_out;
  return is_told ? why : make_error_code(errc::ech_unavailable);
}

}  // namespace

struct ech_dialer::state {
  using lookup = std::pair<std::error_code, std::unique_ptr<transport::resolution>>;

  asio::awaitable<lookup> ask(std::string name, std::uint16_t port, bool https) {
    lookup made{make_error_code(transport::errc::invalid_argument), nullptr};
    if (!names || name.empty()) co_return made;
    const transport::resolve_options wanted{.https = https, .port = port};
    auto [error, found] = co_await names->async_resolve(std::move(name), wanted, quietly);
    made.first = of_lookup(error);
    made.second = std::move(found);
    co_return made;
  }

  /// Where to, when that does not depend on an HTTPS record.
  asio::awaitable<ways> with_config(target where, std::vector<std::byte> config_list) {
    ways made;
    way& one = made.all.emplace_back(way{.config_list = std::move(config_list)});
    if (!where.is_name() || options.route == ech_route::names) {
      one.places.push_back(where);
      co_return made;
    }
    const lookup known = co_await ask(where.host(), where.port(), false);
    made.error = known.first;
    if (known.second) one.places = interleaved(known.second->addresses, where.port());
    co_return made;
  }

  std::vector<way> by_records(const target& where, const transport::resolution& found) const {
    std::vector<way> made;
    for (const transport::resolved_service& each : found.services) {
      if (!is_usable(each.record.ech) || !speaks(each.record, base)) continue;
      const std::uint16_t port = each.record.port.value_or(where.port());
      way one{.config_list = each.record.ech};
      if (!where.is_name()) {
        one.places = {where};
      } else if (options.route == ech_route::names) {
        one.places = {target(each.record.target.string(), port)};
      } else {
        one.places = interleaved(each.addresses, port);
        if (one.places.empty()) one.unknown = target(each.record.target.string(), port);
      }
      made.push_back(std::move(one));
    }
    return made;
  }

  /// From the HTTPS records of the target itself, or of the name that stands in for it.
  asio::awaitable<ways> learn(target where) {
    ways made;
    if (!options.config_list.empty()) {
      made = co_await with_config(where, options.config_list);
      co_return made;
    }
    const bool is_own = options.config_name.empty();
    std::string asked = is_own ? where.host() : options.config_name;
    if (is_own && !where.is_name()) asked = options.tls.server_name;
    const lookup known = co_await ask(std::move(asked), is_own ? where.port() : 443, true);
    made.error = known.first;
    if (!known.second) co_return made;
    if (is_own) {
      made.all = by_records(where, *known.second);
      for (way& each : made.all) {
        if (!each.unknown) continue;
        const lookup later = co_await ask(each.unknown->host(), each.unknown->port(), false);
        if (later.second) {
          each.places = interleaved(later.second->addresses, each.unknown->port());
        } else {
          made.error = later.first;
        }
      }
      std::erase_if(made.all, [](const way& each) { return each.places.empty(); });
      if (!made.all.empty()) made.error = {};
      if (!made.all.empty() || made.error) co_return made;
    }
    std::vector<std::byte> config_list = is_own ? std::vector<std::byte>() : shared(*known.second);
    if (config_list.empty()) {
      made.error = without_configuration(*known.second);
      if (!options.allow_without_ech || known.second->services_error) co_return made;
    }
    made = co_await with_config(where, std::move(config_list));
    co_return made;
  }

  /// Another name's configurations.
  static std::vector<std::byte> shared(const transport::resolution& found) {
    for (const transport::resolved_service& each : found.services)
      if (is_usable(each.record.ech)) return each.record.ech;
    return {};
  }

  static asio::awaitable<made<stream>> dial(std::shared_ptr<state> in, target where) {
    made<stream> result{.error = make_error_code(transport::errc::invalid_argument)};
    if (!where.is_valid()) co_return result;
    const ways known = co_await in->learn(where);
    result.error = known.error;
    if (result.error) co_return result;
    for (const way& each : known.all) {
      bool reached = false;
      result = co_await dial_way(in, where, each, reached);
      // Only a server that cannot be reached is passed over for the next (RFC 9460 section 3).
      if (!result.error || reached) co_return result;
    }
    co_return result;
  }

  static asio::awaitable<made<stream>> dial_way(std::shared_ptr<state> in, target where, way by,
                                                bool& reached) {
    made<stream> result;
    auto prepared = in->context_for(by);
    if (!prepared) {
      result.error = prepared.error();
      co_return result;
    }
    const auto failure = std::make_shared<transport::tls_failure>();
    const transport::tls_stream_options how = in->handshake_options(where, failure);
    transport::ech_attempts attempts(*prepared, how.ech);
    for (;;) {
      result = co_await race_dial(in->carriers, by.places, in->options.attempt_delay);
      if (result.error) co_return result;
      reached = true;
      *failure = {};
      auto [error, secured] = co_await transport::async_tls_handshake(
          std::move(result.value), attempts.context(), how, quietly);
      result.error = error;
      result.value = std::move(secured);
      if (!error || !attempts.again(failure->ech, failure->retry_configs)) co_return result;
    }
  }

  transport::result<transport::tls_context> context_for(const way& by) const {
    if (by.config_list.empty()) return base;
    transport::tls_ech_offer offer;
    offer.config_list = by.config_list;
    auto made = base.with_ech(offer);
    if (!made) return std::unexpected(made.error().code);
    return std::move(*made);
  }

  transport::tls_stream_options handshake_options(
      const target& where, const std::shared_ptr<transport::tls_failure>& failure) const {
    transport::tls_stream_options how = options.tls;
    if (how.server_name.empty()) how.server_name = where.host();
    if (!options.allow_without_ech) how.ech = transport::ech_policy::strict;
    how.on_failure = [failure,
                      told = std::move(how.on_failure)](const transport::tls_failure& why) {
      *failure = why;
      if (told) told(why);
    };
    return how;
  }

  std::shared_ptr<transport::resolver> names;
  std::shared_ptr<transport::stream_dialer> carriers;
  transport::tls_context base;
  ech_dialer_options options;
  std::shared_ptr<stream_operations> dials;
};

ech_dialer::ech_dialer(std::shared_ptr<transport::resolver> names,
                       std::shared_ptr<transport::stream_dialer> carriers,
                       transport::tls_context base, ech_dialer_options options) {
  const transport::ready_list ready(carriers->get_executor());
  state_ = std::make_shared<state>(
      state{std::move(names), std::move(carriers), std::move(base), std::move(options),
            transport::make_driver<stream_operations>(ready.executor(), ready)});
}

ech_dialer::~ech_dialer() { state_->dials->abort_all(); }
asio::any_io_executor ech_dialer::do_executor() noexcept { return state_->dials->executor(); }

void ech_dialer::do_dial(const target& where,
                         transport::completion<transport::stream_signature> waiting) {
  state_->dials->start(std::move(waiting), state::dial(state_, where));
}

}  // namespace v0
}  // namespace strata::proxy
