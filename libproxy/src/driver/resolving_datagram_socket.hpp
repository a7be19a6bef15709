// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/proxy/core/address_filter.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/datagram_socket.hpp"
#include "strata/transport/resolver.hpp"

namespace strata::proxy {
inline namespace v0 {

/// A UDP socket of this host whose names a resolver looks up, and whose targets a filter admits:
/// others are errc::not_allowed. What a name was found to be is kept for a minute, since every
/// datagram of an association has the name.
transport::result<std::unique_ptr<transport::datagram_socket>> open_resolving_datagram_socket(
    std::shared_ptr<transport::resolver> names, const core::address_filter& filter);

}  // namespace v0
}  // namespace strata::proxy
