// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "core/connection/crypto_stream.hpp"
#include "strata/quic/core/tls_backend.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The TLS session and the CRYPTO streams that carry it: bytes in, secrets and bytes out. The
/// session is freed once nothing more can come of it, because it is most of what an idle connection
/// would weigh.
class handshake {
 public:
  /// Takes the session and begins. Of this and on(), a failure closes the connection: a TLS alert
  /// as CRYPTO_ERROR.
  std::expected<void, protocol_failure> start(std::unique_ptr<tls_session> session);

  /// A CRYPTO frame of a level.
  std::expected<void, protocol_failure> on(encryption_level level, const crypto_frame& frame);
  bool poll_secret(traffic_secret& out) { return session_ && session_->poll_secret(out); }

  crypto_stream& stream(packet_number_space space) noexcept {
    return streams_[static_cast<std::size_t>(space)];
  }
  const crypto_stream& stream(packet_number_space space) const noexcept {
    return streams_[static_cast<std::size_t>(space)];
  }

  bool complete() const noexcept { return complete_; }
  /// The transport parameters of the peer, once.
  std::optional<bytes> take_peer_parameters();
  const tls_summary& summary() const noexcept { return summary_; }

  bool has_session() const noexcept { return session_ != nullptr; }
  /// `expects_nothing`: TLS bytes that still come are the peer's error; else they are dropped.
  void free_session(bool expects_nothing) {
    session_.reset();
    output_.clear();
    output_.shrink_to_fit();
    expects_nothing_ = expects_nothing;
  }

 private:
  std::expected<void, protocol_failure> pump();

  std::unique_ptr<tls_session> session_;
  std::array<crypto_stream, packet_number_space_count> streams_;
  std::vector<std::byte> output_;
  tls_summary summary_;
  bool parameters_taken_ = false;
  bool complete_ = false;
  bool expects_nothing_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
