// SPDX-License-Identifier: Apache-2.0
#include "driver/connection_dial.hpp"

#include <algorithm>

#include "driver/connection_driver.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

using transport::address;
using transport::errc;

namespace {

address from_asio(const asio::ip::udp::endpoint& endpoint) {
  const asio::ip::address ip = endpoint.address();
  if (ip.is_v4()) {
    const auto octets = ip.to_v4().to_bytes();
    return {std::as_bytes(std::span(octets)), endpoint.port()};
  }
  const auto octets = ip.to_v6().to_bytes();
  const auto scope = static_cast<std::uint32_t>(ip.to_v6().scope_id());
  return {std::as_bytes(std::span(octets)), endpoint.port(), scope};
}

/// The resolver's order with the families taken in turns (RFC 8305 section 4), without repetitions.
std::vector<address> interleaved(const std::vector<address>& found) {
  std::vector<address> out, rest = found;
  while (!rest.empty()) {
    auto next = rest.begin();
    if (!out.empty()) {
      const auto other = std::ranges::find_if(
          rest, [&](const address& each) { return each.is_v4() != out.back().is_v4(); });
      if (other != rest.end()) next = other;
    }
    if (std::ranges::find(out, *next) == out.end()) out.push_back(*next);
    rest.erase(next);
  }
  return out;
}

std::string authority_of(const transport::target& server) {
  constexpr std::uint16_t default_port = 443;
  if (server.port() != default_port) return server.string();
  const std::string host = server.host();
  return !server.is_name() && server.ip().is_v6() ? "[" + host + "]" : host;
}

}  // namespace

connection_dial::connection_dial(const transport::ready_list& ready, client_options options)
    : ready_(ready),
      options_(std::move(options)),
      resolver_(std::in_place, ready.executor()),
      timer_(std::in_place, ready.executor()) {
  options_.http.role = role::client;
  if (options_.server_name.empty()) options_.server_name = options_.server.host();
}

void connection_dial::shutdown() noexcept {
  const auto waiting = waiting_.take();
  resolver_.reset();
  timer_.reset();
  endpoint_.reset();
  const quic::connection failed = std::move(failed_attempt_);
}

void connection_dial::start(transport::completion<client_signature> waiting) {
  waiting_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto dial = std::static_pointer_cast<connection_dial>(weak.lock());
    if (dial && dial->waiting_) dial->finish(errc::aborted, client());
  });
  if (!options_.server.is_valid()) return finish(errc::invalid_argument, client());
  if (options_.server.is_name()) return resolve();
  addresses_.push_back(options_.server.ip());
  if (const std::error_code error = open_endpoint()) return finish(error, client());
  dial_next();
}

void connection_dial::resolve() {
  resolver_->async_resolve(
      options_.server.name(), std::to_string(options_.server.port()),
      asio::ip::resolver_base::numeric_service,
      [dial = self()](std::error_code error, const asio::ip::udp::resolver::results_type& found) {
        if (dial->waiting_) dial->on_resolved(error, found);
      });
}

void connection_dial::on_resolved(std::error_code error,
                                  const asio::ip::udp::resolver::results_type& found) {
  std::vector<address> all;
  for (const auto& entry : found) all.push_back(from_asio(entry.endpoint()));
  addresses_ = interleaved(all);
  if (addresses_.size() > max_addresses) addresses_.resize(max_addresses);
  if (error || addresses_.empty()) return finish(errc::name_not_found, client());
  if (const std::error_code failed = open_endpoint()) return finish(failed, client());
  dial_next();
}

std::error_code connection_dial::open_endpoint() {
  quic::endpoint_options options;
  options.watcher = options_.watcher;
  options.client_tls = options_.tls;
  if (!options.client_tls) {
    transport::tls_client_options tls;
    tls.alpn = {"h3"};
    auto made = transport::make_tls_client_context(tls);
    if (!made) return made.error().code;
    options.client_tls = std::move(*made);
  }
  const auto& own = options_.connection.tls;
  ech_.emplace(own ? *own : *options.client_tls, options_.ech);
  const bool only_v4 = std::ranges::all_of(addresses_, &address::is_v4);
  options.bind = only_v4 ? address::any_v4(0) : address::any_v6(0);
  auto opened = quic::endpoint::open(ready_.executor(), options);
  if (!opened && !only_v4) {  // a system without IPv6
    options.bind = address::any_v4(0);
    std::erase_if(addresses_, [](const address& each) { return !each.is_v4(); });
    if (!addresses_.empty()) opened = quic::endpoint::open(ready_.executor(), options);
  }
  if (!opened) return opened.error();
  endpoint_.emplace(std::move(*opened));
  return {};
}

void connection_dial::dial_next() {
  if (started_ == addresses_.size()) return;
  dial(addresses_[started_++]);
  if (started_ == addresses_.size()) return;
  timer_->expires_after(options_.attempt_delay);
  timer_->async_wait([dial = self()](std::error_code error) {
    if (!error && dial->waiting_) dial->dial_next();
  });
}

void connection_dial::dial(const address& remote) {
  ++under_way_;
  options_.connection.tls = ech_->context();
  endpoint_->async_connect(remote, options_.server_name, options_.connection,
                           [dial = self(), remote, round = ech_rounds_](
                               std::error_code error, quic::connection connection) {
                             if (!dial->waiting_) return;
                             --dial->under_way_;
                             // What was begun with an older offer may still succeed, but no longer
                             // decides.
                             const bool decides = round == dial->ech_rounds_;
                             if (!error || !decides || !dial->tries_ech_again(remote, connection))
                               dial->on_dialled(error, decides, std::move(connection));
                           });
}

void connection_dial::on_dialled(std::error_code error, bool decides, quic::connection connection) {
  if (!error) {
    client made = make_client(std::move(connection));
    return finish({}, std::move(made));
  }
  if (!error_) {
    error_ = error;
    failed_attempt_ = std::move(connection);
  }
  // A certificate that is not believed is an answer, and so is a refusal of ECH: no other address
  // is to be asked.
  const bool final =
      decides && (error == errc::certificate_rejected || error == errc::ech_rejected);
  if (!final && (under_way_ != 0 || started_ != addresses_.size())) {
    if (under_way_ == 0) dial_next();
    return;
  }
  client why = failed_attempt_ ? make_client(std::move(failed_attempt_)) : client();
  finish(final ? error : error_, std::move(why));
}

bool connection_dial::tries_ech_again(const address& remote, const quic::connection& failed) {
  if (!failed) return false;
  const transport::tls_ech_outcome ech = failed.security().ech;
  if (!ech_->again(ech.status, ech.retry_configs)) return false;
  ++ech_rounds_;
  dial(remote);
  return true;
}

client connection_dial::make_client(quic::connection connection) {
  auto driver = transport::make_driver<connection_driver>(ready_.executor(), ready_,
                                                          std::move(connection), options_.http);
  driver->set_default_authority(authority_of(options_.server));
  driver->start({});
  return connection_driver::client_of(std::move(driver));
}

void connection_dial::finish(std::error_code error, client made) {
  const auto keep = self();
  ready_.complete(waiting_.take(), error, std::move(made));
  if (timer_) timer_->cancel();
  if (resolver_) resolver_->cancel();
  endpoint_.reset();
}

void dial(const asio::any_io_executor& executor, client_options options,
          transport::completion<client_signature> waiting) {
  const transport::ready_list ready(executor);
  transport::make_driver<connection_dial>(executor, ready, std::move(options))
      ->start(std::move(waiting));
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
