// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/error.hpp"

#include <string>

#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace {

const char* text_of(errc code) noexcept {
  switch (code) {
    case errc::authentication_failed: return "not the password of any user";
    case errc::authentication_required: return "the proxy wants a user and a password";
    case errc::unknown_protocol: return "neither SOCKS nor HTTP, or not offered here";
    case errc::not_allowed: return "forbidden by a rule or the address filter";
    case errc::upstream_failed: return "the proxy that was dialled through failed";
    case errc::command_not_supported: return "the proxy does not offer this command";
    case errc::no_outbound: return "no outbound is alive";
    case errc::ech_unavailable: return "no ECH configuration in DNS";
    case errc::upstream_resting: return "the tunnel's server failed lately and rests";
  }
  return "unknown proxy error";
}

class proxy_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "strata.proxy"; }
  std::string message(int code) const override { return text_of(static_cast<errc>(code)); }
  std::error_condition default_error_condition(int code) const noexcept override {
    switch (static_cast<errc>(code)) {
      case errc::unknown_protocol: return transport::condition::protocol_error;
      default: return transport::condition::refused;
    }
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const proxy_category category;
  return category;
}

refusal refusal_of(const std::error_code& failure) noexcept {
  using transport::condition;
  if (failure == errc::not_allowed) return refusal::not_allowed;
  if (failure == errc::command_not_supported || failure == transport::errc::not_supported)
    return refusal::command_not_supported;
  if (failure == transport::errc::limit_exceeded) return refusal::overloaded;
  if (failure == transport::errc::name_not_found ||
      failure == transport::errc::name_server_failed || failure == std::errc::host_unreachable)
    return refusal::host_unreachable;
  if (failure == transport::errc::unreachable || failure == std::errc::network_unreachable)
    return refusal::network_unreachable;
  if (failure == condition::timed_out) return refusal::timed_out;
  if (failure == transport::errc::refused || failure == std::errc::connection_refused)
    return refusal::connection_refused;
  return refusal::general_failure;
}

std::error_code error_of(refusal why) noexcept {
  switch (why) {
    case refusal::general_failure: break;
    case refusal::not_allowed: return errc::not_allowed;
    case refusal::network_unreachable: return transport::errc::unreachable;
    case refusal::host_unreachable: return transport::errc::name_not_found;
    case refusal::connection_refused: return transport::errc::refused;
    case refusal::timed_out: return transport::errc::timed_out;
    case refusal::command_not_supported: return errc::command_not_supported;
    case refusal::address_not_supported: return transport::errc::not_supported;
    case refusal::overloaded: return transport::errc::limit_exceeded;
  }
  return errc::upstream_failed;
}

const char* text_of(refusal why) noexcept {
  switch (why) {
    case refusal::general_failure: return "the connection could not be made";
    case refusal::not_allowed: return "this proxy does not allow that target";
    case refusal::network_unreachable: return "the network of the target cannot be reached";
    case refusal::host_unreachable: return "the target cannot be reached or does not exist";
    case refusal::connection_refused: return "the target refused the connection";
    case refusal::timed_out: return "the target did not answer in time";
    case refusal::command_not_supported: return "this proxy does not offer that";
    case refusal::address_not_supported: return "this proxy cannot use such an address";
    case refusal::overloaded: return "this proxy has too many connections";
  }
  return "the connection could not be made";
}

}  // namespace v0
}  // namespace strata::proxy
