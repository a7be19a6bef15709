// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto/openssl_handles.hpp"
#include "core/crypto/post_handshake_filter.hpp"
#include "strata/quic/core/role.hpp"
#include "strata/quic/core/tls_backend.hpp"
#include "strata/transport/tls.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// One handshake of OpenSSL through its callbacks for other people's QUIC stacks.
///
/// The SSL goes as soon as nothing can need it: on a server with the handshake's end, on a client
/// then too unless somebody wants sessions. An idle connection keeps a few hundred bytes.
class openssl_session final : public tls_session {
 public:
  openssl_session(transport::tls_context context, role side, bytes transport_parameters);
  openssl_session(const openssl_session&) = delete;
  openssl_session& operator=(const openssl_session&) = delete;
  ~openssl_session() override;

  /// False when the TLS library refuses; the object is then good for nothing. `server_name` counts
  /// on a client only.
  bool prepare(std::string_view server_name);

  void start() override;
  void receive(encryption_level level, bytes input) override;
  bool poll_secret(traffic_secret& out) override;
  bool take_output(encryption_level& level, std::vector<std::byte>& out) override;
  std::optional<bytes> peer_transport_parameters() const override;
  bool handshake_complete() const override { return complete_ && !failure_; }
  const tls_failure* failure() const override { return failure_ ? &*failure_ : nullptr; }
  const tls_summary& summary() const override { return summary_; }

  // What OpenSSL calls; false is fatal to it.
  bool send(bytes output);
  bytes lend_input();
  void take_back_input();
  bool add_secret(encryption_level level, traffic_secret::direction way, bytes secret);
  void keep_peer_parameters(bytes parameters);
  void keep_alert(std::uint8_t alert) noexcept { alert_ = alert; }

 private:
  bool is_client() const noexcept { return side_ == role::client; }
  void drive();
  bool step();
  void finish();
  void fail(tls_failure failure);
  void fail_as_openssl_says();
  bool check_negotiation();
  bool check_session_id(bytes input);
  cipher_suite suite() const;

  // Outlives ssl_, which calls back even while it is freed: everything that callbacks touch stands
  // above it.
  transport::tls_context context_;
  role side_;
  /// OpenSSL copies neither these nor what it is lent.
  std::vector<std::byte> transport_parameters_;
  std::string server_name_;
  std::optional<std::vector<std::byte>> peer_parameters_;
  std::array<std::vector<std::byte>, encryption_level_count> inbox_;
  std::vector<std::byte> lent_;
  std::array<std::vector<std::byte>, encryption_level_count> outbox_;
  std::vector<traffic_secret> secrets_;
  std::size_t next_secret_ = 0;
  encryption_level read_level_ = encryption_level::initial;
  encryption_level write_level_ = encryption_level::initial;
  std::size_t client_hello_seen_ = 0;  ///< Bytes of it that check_session_id() has looked at.
  std::optional<std::uint8_t> alert_;
  std::optional<tls_failure> failure_;
  tls_summary summary_;
  post_handshake_filter filter_;
  bool complete_ = false;
  ssl_handle ssl_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
