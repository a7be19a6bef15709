// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

using md5_digest = std::array<std::byte, 16>;
using sha256_digest = std::array<std::byte, 32>;

/// Fails only where the TLS library cannot do it: errc::not_supported. MD5 is for protocols that
/// use it as a name for something; a FIPS configuration of OpenSSL refuses it.
STRATA_TRANSPORT_API result<md5_digest> md5(bytes message);
STRATA_TRANSPORT_API result<sha256_digest> sha256(bytes message);

/// Whether both are the same. How long it takes depends on their sizes only, so that nobody learns
/// from the time how many bytes of a secret were guessed.
STRATA_TRANSPORT_API bool equal_in_constant_time(bytes a, bytes b) noexcept;

}  // namespace v0
}  // namespace strata::transport
