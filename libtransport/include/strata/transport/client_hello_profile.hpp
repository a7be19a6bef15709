// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

struct tls_client_options;

/// What of a ClientHello can be chosen beside suites, groups and protocols (tls_client_options). It
/// does not make a connection look like another program's: the order of the extensions, and which
/// there are, is the TLS library's.
struct client_hello_profile {
  /// Of the groups, those that a key is sent for at once; empty: the library's choice.
  std::vector<std::string> key_shares;
  /// By TLS name, in order of preference; empty: the library's.
  std::vector<std::string> signature_algorithms;
  bool status_request = false;   ///< Asks for an OCSP response, which is not looked at.
  bool encrypt_then_mac = true;  ///< Of TLS 1.2.
  /// Splits the ClientHello into records of so many bytes of it, 1 to 16384, on byte streams; 0:
  /// one record. For paths that look for the name in the first record only.
  std::size_t record_size = 0;
};

/// Chooses what Firefox chose in its version 105, as far as OpenSSL can: versions, suites, groups,
/// keys, signatures but those with SHA-1, and protocols ("h2", "http/1.1"). What is left is said by
/// tools/tls-fingerprint. It allows TLS 1.2 and ciphers without forward secrecy, as browsers do.
STRATA_TRANSPORT_API void choose_like_a_browser(tls_client_options& options);

}  // namespace v0
}  // namespace strata::transport
