// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/version.hpp>

#include "strata/transport/export.hpp"

// Asio's layout changes between its releases, so its exact version is part of this library's ABI:
// an application compiled with another one would crash at its first operation. Every public
// asynchronous header includes this one, which refers to a symbol named after the version seen
// here; only a library built with that version defines it.
#define STRATA_TRANSPORT_PASTE(prefix, version) prefix##version
#define STRATA_TRANSPORT_EXPAND(prefix, version) STRATA_TRANSPORT_PASTE(prefix, version)
#define STRATA_TRANSPORT_BUILT_WITH_ASIO STRATA_TRANSPORT_EXPAND(built_with_asio_, ASIO_VERSION)

namespace strata::transport {
inline namespace v0 {

STRATA_TRANSPORT_API extern const char STRATA_TRANSPORT_BUILT_WITH_ASIO;

namespace detail {
/// Emitted in every program that includes this header, used or not: the reference is the check.
[[gnu::used]] inline const char* const asio_version_check = &STRATA_TRANSPORT_BUILT_WITH_ASIO;
}  // namespace detail

}  // namespace v0
}  // namespace strata::transport
