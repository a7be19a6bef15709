// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "strata/transport/client_hello_profile.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/connection_security.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/core/tls_error.hpp"
#include "strata/transport/export.hpp"
#include "strata/transport/pem_source.hpp"
#include "strata/transport/tls_ech.hpp"

namespace strata::transport {
inline namespace v0 {

/// What one side proves its name with: the certificate first, then those that lead to a root; and
/// the leaf's key, not encrypted.
struct tls_credential {
  pem_source certificate_chain;
  pem_source private_key;
};

/// What a certificate_verifier judges; valid during the call.
struct peer_certificates {
  std::span<const std::vector<std::byte>> der;  ///< The leaf first, as the peer sent them.
  std::string_view name;                        ///< What was asked for; empty on a server.
};

/// True accepts. Called on the thread that drives the handshake; must not block. The peer has
/// proven to hold the leaf's key only when the handshake ends.
using certificate_verifier = std::function<bool(const peer_certificates&)>;

/// Gets each line of the NSS key log format, without the newline. Whoever has the lines can read
/// the traffic.
using keylog_sink = std::function<void(std::string_view line)>;

class tls_session_store;

enum class tls_version : std::uint8_t { tls12, tls13 };

struct tls_client_options {
  /// tls12 is for byte streams; QUIC has TLS 1.3 only, and so has a connection that offers ECH.
  tls_version minimum_version = tls_version::tls13;
  tls_version maximum_version = tls_version::tls13;
  /// Application protocols in order of preference. QUIC needs at least one.
  std::vector<std::string> alpn;

  // Whom to believe. By default: a chain to a root of the system, and the name that was asked for.
  bool system_roots = true;
  std::vector<pem_source> roots;  ///< Believed too; with system_roots = false, only these.
  /// When not empty, exactly these leaves are accepted, whoever issued them and whatever name they
  /// carry, within their time.
  std::vector<certificate_hash> pinned_certificates;
  /// When set, it decides alone: no chain, name or time is checked otherwise.
  certificate_verifier verify;
  /// Accepts everybody, so protects from nobody on the path. For tests.
  bool insecure_skip_verification = false;
  /// The time to verify at, for runs that must replay; the system's when empty.
  std::optional<std::chrono::system_clock::time_point> verification_time;

  std::optional<tls_credential> credential;  ///< Shown to servers that ask.
  std::vector<std::string>
      cipher_suites;  ///< TLS 1.3 names in order of preference; empty: all three of QUIC.
  std::vector<std::string>
      groups;  ///< Key exchange by TLS name; empty: the library's, X25519MLKEM768 first.
  /// Those of TLS 1.2 by OpenSSL's names, in order of preference; empty: those with forward secrecy
  /// and an AEAD.
  std::vector<std::string> tls12_ciphers;
  client_hello_profile hello;
  /// Plaintext of one record of a byte stream, 512 to 16384.
  std::size_t record_size = limits::tls_record_size;
  keylog_sink keylog;

  /// Encrypted Client Hello for every connection; tls_context::with_ech() is for single ones.
  std::optional<tls_ech_offer> ech;
  /// Imitates ECH where there is none, so that it does not stand out where there is.
  bool ech_grease = false;

  /// Sessions of earlier connections; null: none are kept. The two functions below are for those
  /// who keep them elsewhere, and only then. Connections with ECH neither keep nor resume any:
  /// OpenSSL 4.0.3 cannot resume then at servers that read strictly.
  std::shared_ptr<tls_session_store> sessions;
  /// A session that can be resumed, as opaque bytes. It holds secrets of the connection.
  std::function<void(std::string_view server_name, bytes session)> session_received;
  /// Asked for one at the start of each connection; empty: none. A session is to be used once.
  std::function<std::vector<std::byte>(std::string_view server_name)> session_to_resume;

  /// An OSSL_LIB_CTX that outlives the context; null: one of its own.
  void* native_library = nullptr;
};

enum class client_certificates : std::uint8_t { ignored, requested, required };

/// What tickets are sealed with: 16 bytes of name, 32 for authentication, 32 for encryption, all
/// random.
using tls_ticket_key = std::array<std::byte, 80>;

struct tls_server_options {
  tls_version minimum_version = tls_version::tls13;  ///< As that of a client.
  tls_version maximum_version = tls_version::tls13;
  /// At least one. Which is shown depends on the name the client asks for; the first one when none
  /// matches.
  std::vector<tls_credential> credentials;
  /// Application protocols in order of this server's preference. QUIC needs at least one.
  std::vector<std::string> alpn;

  client_certificates client_certificate = client_certificates::ignored;
  std::vector<pem_source> client_roots;  ///< Who may issue them; the system's roots are not used.
  certificate_verifier verify;           ///< When set, it decides alone.
  std::optional<std::chrono::system_clock::time_point> verification_time;

  std::vector<std::string> cipher_suites;
  std::vector<std::string> groups;
  std::vector<std::string> tls12_ciphers;
  std::size_t record_size = limits::tls_record_size;
  keylog_sink keylog;
  std::uint8_t session_tickets = 2;  ///< Sent after each full handshake; 0: no resumption.
  /// The first seals tickets, all open them, so that they outlive this context or are good at
  /// another server; empty: keys of this context alone. A ticket is good only where the protocols
  /// and the judgement of client certificates are the same.
  std::vector<tls_ticket_key> ticket_keys;

  /// To open Encrypted Client Hello with: the current key and those that DNS may still name, with
  /// an ID each. To change them, make another context for new connections.
  std::vector<tls_ech_key> ech_keys;
  /// Tries every key, whatever ID the client gives: for clients that hide it, and for keys that
  /// share one.
  bool ech_trial_decryption = false;

  void* native_library = nullptr;
};

/// A finished TLS configuration of one role. Cheap to copy; immutable, so it may serve any
/// number of threads.
class STRATA_TRANSPORT_API tls_context {
 public:
  bool is_server() const noexcept;
  /// The application protocols, in order of preference.
  const std::vector<std::string>& alpn() const noexcept;
  /// A client's context that offers ECH, or another ECH; it shares everything else with this one.
  /// TLS 1.3 only, and only to names, not to addresses.
  tls_result<tls_context> with_ech(const tls_ech_offer&) const;
  /// Whether connections of this context offer ECH; an imitation is none.
  bool offers_ech() const noexcept { return ech_ != nullptr; }
  /// The same offer with what a server that rejected it named instead (tls_failure): for one
  /// connection, whose ech_retried says so, and not to be kept.
  tls_result<tls_context> with_retry_configs(bytes configs) const;
  /// For one connection to a server that has proven that it does no ECH: everything is shown to the
  /// path, and its status says rejected.
  tls_context without_ech() const;

  // For driver authors. These see OpenSSL's types, which no header of ours shows.

  /// The SSL_CTX*. Whoever makes an SSL of it keeps a copy of this object for as long as the SSL
  /// lives, and frees neither it nor its library context.
  void* native_context() const noexcept;
  /// Gives a client's SSL* the name to ask for and to verify, its ECH, and a session to resume
  /// where there is one. `server_name` is a DNS name or, without ECH, an IP literal; false when it
  /// is neither.
  bool prepare_client(void* native_session, std::string_view server_name) const;
  /// What the built-in or the given verification said about the peer of an SSL*, and for which
  /// name; empty when it was content.
  static std::string verification_failure(void* native_session);
  /// What has become of ECH on an SSL* of this context: now, or when it has failed, after this
  /// alert of its own and before OpenSSL's errors are cleared.
  tls_ech_outcome ech_outcome(void* native_session,
                              std::optional<std::uint8_t> alert_sent = std::nullopt) const;

  struct implementation;
  struct prepared_ech;
  explicit tls_context(std::shared_ptr<const implementation>) noexcept;

 private:
  std::shared_ptr<const implementation> implementation_;
  std::shared_ptr<const prepared_ech> ech_;  ///< Of a client that offers it.
  std::optional<ech_status> earlier_ech_;    ///< What made another attempt necessary.
};

/// Reads the files, checks that everything fits together, and says what does not.
STRATA_TRANSPORT_API tls_result<tls_context> make_tls_client_context(const tls_client_options&);
STRATA_TRANSPORT_API tls_result<tls_context> make_tls_server_context(const tls_server_options&);

/// The ClientHello that a connection of a client's context to this name would begin with, header
/// included, for those who compare them. Each is different: it has random parts.
STRATA_TRANSPORT_API tls_result<std::vector<std::byte>> make_client_hello(
    const tls_context& context, std::string_view server_name);

/// Appends lines to a file, which only its owner may read when it had to be made. Thread-safe.
STRATA_TRANSPORT_API tls_result<keylog_sink> make_keylog_file(const std::string& path);

/// A certificate that vouches for itself.
struct self_signed_certificate {
  std::string certificate_pem;
  std::string private_key_pem;
  certificate_hash sha256;

  tls_credential credential() const {
    return {pem_source::from_text(certificate_pem), pem_source::from_text(private_key_pem)};
  }
};

/// For examples and tests: ECDSA P-256, valid for 14 days from an hour ago (what browsers accept by
/// hash), for these DNS names and IP literals, of which there must be one at least.
STRATA_TRANSPORT_API tls_result<self_signed_certificate> make_self_signed_certificate(
    std::span<const std::string> names);

}  // namespace v0
}  // namespace strata::transport
