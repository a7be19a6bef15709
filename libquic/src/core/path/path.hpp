// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "core/connection/packet_payload.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/address.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using path_challenge = std::array<std::byte, 8>;

/// The pair of addresses a connection uses, what may be sent there before the peer's address is
/// validated, and the answers to the peer's challenges.
class path {
 public:
  path(const transport::address& local, const transport::address& remote, bool validated) noexcept
      : local_(local), remote_(remote), validated_(validated) {}

  const transport::address& local() const noexcept { return local_; }
  const transport::address& remote() const noexcept { return remote_; }
  /// The system told only now which of its addresses is used.
  void set_local(const transport::address& local) noexcept { local_ = local; }

  bool validated() const noexcept { return validated_; }
  void set_validated() noexcept { validated_ = true; }

  void on_received(std::uint64_t bytes) noexcept { received_ += bytes; }
  void on_sent(std::uint64_t bytes) noexcept { sent_ += bytes; }
  /// Bytes that may be sent now: an address that might be spoofed gets at most three times what
  /// came from it.
  std::uint64_t allowance() const noexcept;

  /// PATH_CHALLENGE: remembered to be answered, the newest limits::max_path_responses of them. A
  /// flood is answered in part and never queued (the attack of CVE-2023-49295).
  void on_challenge(const path_challenge& challenge) noexcept;
  bool response_pending() const noexcept { return responses_ != 0; }
  void write_responses(packet_payload& payload);

 private:
  transport::address local_;
  transport::address remote_;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  std::array<path_challenge, limits::max_path_responses> challenges_{};
  std::uint8_t responses_ = 0;
  bool validated_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
