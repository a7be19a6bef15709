// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "strata/quic/observer.hpp"
#include "strata/transport/core/datagram.hpp"

namespace strata::testkit {

/// What must hold on every endpoint at every instant, as seen from its observer's place. A breach
/// is an exception whose text says what happened.
class quic_invariants final : public quic::observer {
 public:
  unsigned categories() const noexcept override { return everything; }
  void connection_closed(const quic::observed::connection_closed& event) override;
  /// No packet number twice, every frame written can be read, nothing but CONNECTION_CLOSE after
  /// the end.
  void packet_sent(const quic::observed::packet_sent& event) override;
  /// No packet is processed twice.
  void packet_received(const quic::observed::packet_received& event) override;
  void recovery_metrics_updated(const quic::observed::recovery_metrics_updated& event) override;

 private:
  struct numbers {
    std::unordered_map<unsigned, std::uint64_t> next_to_send;  ///< By packet_kind.
    std::unordered_map<unsigned, std::unordered_set<std::uint64_t>> received;
    bool closed = false;
    bool close_sent = false;
  };
  numbers& of(const quic::observed::subject& about);

  std::map<std::pair<std::vector<std::byte>, quic::role>, numbers> connections_;
};

/// RFC 9000 section 8.1 at every instant, as a stranger on the wire sees it: what an address that
/// has not proved itself is sent is at most three times what came from it.
class amplification_watch {
 public:
  void on_received(const transport::address& from, transport::bytes datagram);
  /// Throws when it is too much.
  void on_sent(const transport::address& to, std::size_t size);

 private:
  struct traffic {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    /// A Handshake packet, or an Initial packet with a token, has come from there.
    bool proved = false;
  };
  std::unordered_map<transport::address, traffic> addresses_;
};

}  // namespace strata::testkit
