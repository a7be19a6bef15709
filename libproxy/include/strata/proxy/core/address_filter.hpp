// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "strata/proxy/core/ip_network.hpp"
#include "strata/proxy/export.hpp"
#include "strata/transport/core/address.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

struct address_filter_config {
  /// Admitted whatever else is said.
  std::vector<ip_network> allowed{};
  std::vector<ip_network> denied{};
  /// Whether the blocks that are not of the public network are admitted (RFC 6890): loopback,
  /// private, link-local with the cloud's metadata service, multicast and the like. A proxy that
  /// strangers may use must not lead them to what its host alone can reach.
  bool special_purpose = false;
};

/// Which addresses may be connected to. It is to be asked about the very address that is dialled
/// next: a name that was checked before may lead elsewhere by then.
class STRATA_PROXY_API address_filter {
 public:
  explicit address_filter(address_filter_config config = {});
  /// An IPv6 address that carries an IPv4 one (NAT64 of RFC 6052, 6to4) is admitted only when both
  /// are; the unspecified address and port 0 never are.
  bool admits(const transport::address& where) const noexcept;

 private:
  bool admits_ip(const transport::address& ip) const noexcept;
  address_filter_config config_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
