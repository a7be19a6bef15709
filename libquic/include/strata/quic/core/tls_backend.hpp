// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strata/quic/core/encryption_level.hpp"
#include "strata/quic/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/tls.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::mutable_bytes;
using transport::result;

/// The TLS 1.3 cipher suites that QUIC packets can be protected with, by their TLS code points.
/// `null` protects nothing but still detects damage: for simulation and fuzzing.
enum class cipher_suite : std::uint16_t {
  null = 0,
  aes_128_gcm_sha256 = 0x1301,
  aes_256_gcm_sha384 = 0x1302,
  chacha20_poly1305_sha256 = 0x1303,
};

/// A traffic secret that the handshake has produced. Wiped when destroyed.
struct STRATA_QUIC_API traffic_secret {
  enum class direction : std::uint8_t { read, write };

  encryption_level level = encryption_level::initial;
  direction way = direction::read;
  cipher_suite cipher = cipher_suite::null;
  std::uint8_t size = 0;
  std::array<std::byte, 48> octets{};

  traffic_secret() = default;
  traffic_secret(const traffic_secret&) = default;
  traffic_secret& operator=(const traffic_secret&) = default;
  ~traffic_secret();
  bytes view() const noexcept { return bytes(octets).first(size); }
};

/// Why the handshake failed: the alert that goes to the peer as CRYPTO_ERROR, and a sentence for
/// people.
struct tls_failure {
  std::uint8_t alert = 80;   ///< internal_error by default (RFC 8446 section 6).
  bool certificate = false;  ///< The peer's certificate was the reason.
  /// RFC 9001 wants PROTOCOL_VIOLATION for it instead of the alert
  /// (sections 4.1.3, 4.4, 4.6.1, 8.4).
  bool protocol_violation = false;
  std::string reason;
};

/// What the handshake agreed on; complete once handshake_complete() is true. Of one that failed
/// only `ech` is set.
struct tls_summary {
  std::string alpn;
  std::string server_name;
  cipher_suite cipher = cipher_suite::null;
  std::string group;  ///< Key exchange group by its TLS name, e.g. "X25519MLKEM768".
  std::vector<std::vector<std::byte>>
      peer_certificates;  ///< DER, the leaf first; empty when the peer sent none.
  bool resumed = false;
  transport::tls_ech_outcome ech;
};

/// One TLS 1.3 handshake without a record layer (RFC 9001). It is asked and never calls back: after
/// each receive() the owner drains poll_secret(), take_output() and looks at failure().
///
/// The order in which secrets appear is the TLS library's; a read secret of a level may come before
/// its write secret.
class tls_session {
 public:
  virtual ~tls_session() = default;

  /// Begins: a client has its first flight ready afterwards. Call once, before anything else.
  virtual void start() = 0;
  /// In-order handshake bytes of one level, copied. After the handshake too: session tickets arrive
  /// that way.
  virtual void receive(encryption_level level, bytes input) = 0;
  /// The next secret not handed out yet.
  virtual bool poll_secret(traffic_secret& out) = 0;
  /// Moves handshake bytes to send to the end of `out`, for one level; false when there are none.
  /// Levels come in order.
  virtual bool take_output(encryption_level& level, std::vector<std::byte>& out) = 0;
  /// The peer's quic_transport_parameters extension, from the moment it has arrived; empty before.
  virtual std::optional<bytes> peer_transport_parameters() const = 0;
  virtual bool handshake_complete() const = 0;
  virtual const tls_failure* failure() const = 0;
  /// Valid once handshake_complete(), or with a failure(); the view lives as long as the session.
  virtual const tls_summary& summary() const = 0;
};

/// What an endpoint makes TLS sessions with: OpenSSL in production, the null backend in simulation
/// and fuzzing.
class tls_backend {
 public:
  virtual ~tls_backend() = default;
  /// `server_name` is a DNS name or an IP literal to verify the certificate against; parameters are
  /// copied.
  virtual result<std::unique_ptr<tls_session>> connect(std::string_view server_name,
                                                       bytes transport_parameters) = 0;
  /// The same with a context of the caller's, where the backend knows any.
  virtual result<std::unique_ptr<tls_session>> connect_with(const transport::tls_context&,
                                                            std::string_view /*server_name*/,
                                                            bytes /*transport_parameters*/) {
    return std::unexpected(make_error_code(transport::errc::not_supported));
  }
  virtual result<std::unique_ptr<tls_session>> accept(bytes transport_parameters) = 0;
  /// True when packets of this backend's sessions, Initial ones included, are to be protected with
  /// cipher_suite::null.
  virtual bool null_protection() const noexcept { return false; }
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
