// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace strata::transport {
inline namespace v0 {

/// SHA-256 over a certificate's DER: the fingerprint that browsers call a certificate hash.
using certificate_hash = std::array<std::byte, 32>;

/// What became of Encrypted Client Hello (RFC 9849).
enum class ech_status : std::uint8_t {
  not_tried,  ///< Neither offered nor, on a server, seen.
  grease,     ///< A client: an imitation was sent, which means nothing. A server: what came could
              ///< not be read, because it was an imitation or for a key that is gone.
  accepted,   ///< The name and the rest of the true ClientHello were seen by nobody on the path.
  rejected,   ///< The server, proven to speak for the public name, does not do ECH. Of a connection
              ///< that works: it was made again without, as ech_policy::secure_disable allows.
  rejected_with_retry,  ///< The same server named configurations that it would accept.
  failed,  ///< Offered, and the handshake ended before anybody proved anything: nothing may be
           ///< concluded from it, least of all that ECH is off.
};

/// What protects a connection.
struct connection_security {
  std::string protocol;  ///< "TLSv1.3" or "TLSv1.2".
  std::string cipher;    ///< By its IANA name, as "TLS_AES_128_GCM_SHA256".
  std::string group;     ///< Of the key exchange, as "X25519MLKEM768"; empty when there was none.
  std::string alpn;      ///< The application protocol; empty when none was agreed on.
  std::string server_name;  ///< What the client asked for; on a server empty when it did not.
  /// DER, the leaf first; empty when the peer showed none. A resumed session knows the leaf only.
  std::vector<std::vector<std::byte>> peer_certificates;
  std::optional<certificate_hash> peer_certificate_sha256;  ///< Of the leaf.
  bool resumed = false;
  ech_status ech = ech_status::not_tried;
  /// Accepted at the second attempt, with configurations that the server named at the first.
  bool ech_retried = false;
  bool early = false;  ///< Bytes were accepted before the handshake ended, and may be a replay.
};

}  // namespace v0
}  // namespace strata::transport
