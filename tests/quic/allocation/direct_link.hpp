// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "strata/quic/core/endpoint.hpp"
#include "testkit/fake_random.hpp"
#include "testkit/quic/test_tls.hpp"

namespace strata::testkit {

/// Two endpoints that hand each other batches directly, 100 us apart, as GRO and GSO would.
struct direct_link {
  explicit direct_link(bool real);

  /// Begins a connection from sender to receiver, and steps until its handshake is confirmed.
  quic::core::connection_handle connect();
  void step();
  /// Steps the clock to `end` by what the endpoints ask for.
  void idle_until(transport::time_point end);

  transport::time_point now = transport::time_point(std::chrono::hours(1));
  fake_random sender_random{1}, receiver_random{2};
  fake_wall_clock clock;
  std::unique_ptr<quic::core::tls_backend> sender_tls, receiver_tls;
  quic::core::endpoint sender, receiver;
  std::vector<std::byte> memory;
  transport::address client = transport::address::loopback_v4(1),
                     server = transport::address::loopback_v4(2);
  quic::core::connection_handle receiving;  ///< The newest accepted.
  std::uint64_t received = 0;               ///< Bytes of streams, at the receiver.

 private:
  void carry(quic::core::endpoint& from, quic::core::endpoint& to);
  void serve(quic::core::endpoint& at);
  void read(quic::core::connection_handle from, std::uint64_t stream);
};

}  // namespace strata::testkit
