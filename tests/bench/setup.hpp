// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/arguments.hpp"
#include "strata/quic/endpoint.hpp"

namespace strata::bench {

inline constexpr const char* stream_alpn = "bench";

/// The same settings that the programs in peers/ take: AES-128-GCM, one group, CUBIC, no tickets,
/// windows that never limit.
quic::core::connection_config connection_config_of(const arguments&);
quic::endpoint_options server_options_of(const arguments&, const std::string& alpn);
quic::endpoint_options client_options_of(const arguments&, const std::string& alpn);

}  // namespace strata::bench
