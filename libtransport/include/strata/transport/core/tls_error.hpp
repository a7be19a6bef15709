// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <system_error>

namespace strata::transport {
inline namespace v0 {

/// Why TLS could not be configured: `code` for programs, `text` for people, which names the file or
/// option and what to do.
struct tls_error {
  std::error_code code;
  std::string text;
};

template <class T>
using tls_result = std::expected<T, tls_error>;

}  // namespace v0
}  // namespace strata::transport
