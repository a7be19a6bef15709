// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/crypto/packet_protection.hpp"
#include "core/wire/frame.hpp"
#include "core/wire/packet_header.hpp"
#include "strata/quic/core/endpoint.hpp"
#include "strata/quic/core/null_tls.hpp"
#include "strata/quic/observer.hpp"
#include "testkit/fake_random.hpp"

namespace strata::testkit {

using octets = std::vector<std::byte>;

/// Keeps what an endpoint reports.
class recorder final : public quic::observer {
 public:
  struct packet {
    quic::observed::packet_kind kind;
    std::uint64_t number;
    octets payload;
  };
  std::vector<packet> sent;
  std::vector<std::string> dropped;  ///< The triggers.
  std::vector<quic::encryption_level> discarded;
  std::vector<std::string> key_updates;  ///< The triggers, but for the handshake's.
  std::optional<quic::core::transport_parameters> peer_parameters;

  unsigned categories() const noexcept override { return everything; }
  void packet_sent(const quic::observed::packet_sent& what) override;
  void packet_dropped(const quic::observed::packet_dropped& what) override;
  void key_discarded(const quic::observed::key_discarded& what) override;
  void key_updated(const quic::observed::key_updated& what) override;
  void parameters_set(const quic::observed::parameters_set& what) override;

  bool has_dropped(const std::string& trigger) const;
  /// The frames of one kind in packets of one kind, in the order they were sent in.
  std::vector<quic::core::frame> frames(quic::observed::packet_kind kind) const;
};

/// An Initial packet as anybody can make it who has seen the client's first one.
struct forged_initial {
  quic::connection_id destination;
  quic::connection_id source;
  octets token;
  std::uint64_t number = 0;
  octets payload{std::byte{1}};
  std::byte flip_first_byte{};
  std::size_t size = 1200;
};
octets seal(quic::core::packet_protection& keys, const forged_initial& packet);

/// The headers of the packets in a datagram for IDs of eight bytes.
std::vector<quic::core::packet_header> headers_of(const octets& datagram);
bool holds(const octets& datagram, quic::core::packet_type type);

/// A client and a server, both under test, with their datagrams in the hand of the test.
class observed_pair {
 public:
  using datagrams = std::vector<octets>;

  explicit observed_pair(const quic::core::connection_config& client_config = {},
                         const quic::core::null_tls_options& tls_options = {});

  transport::time_point now{std::chrono::hours(1)};
  /// Of the attempts that come from now on.
  quic::core::decision admission = quic::core::decision::accept;
  std::optional<bool> address_validated;  ///< What the last attempt said.

  void connect();
  datagrams from_client() { return take(client); }
  datagrams from_server() { return take(server); }
  void to_client(const octets& datagram,
                 const transport::address& from = transport::address::loopback_v4(443));
  void to_server(const octets& datagram);
  void to_client(const datagrams& all);
  void to_server(const datagrams& all);
  /// Exchanges everything until both are silent; `see` gets each datagram first.
  template <class See>
  void run(See&& see) {
    for (bool moved = true; moved;) {
      moved = false;
      for (const octets& datagram : from_client())
        see(true, datagram), moved = true, to_server(datagram);
      for (const octets& datagram : from_server())
        see(false, datagram), moved = true, to_client(datagram);
    }
  }
  void run() {
    run([](bool, const octets&) {});
  }
  /// Waits for the endpoint's next deadline.
  void pass_time(quic::core::endpoint& whose);

  quic::core::connection_view of_client() { return client.at(client_handle); }
  quic::core::connection_view of_server() { return server.at(server_handle); }
  /// Keys of the Initial packets.
  quic::core::packet_protection client_keys();
  quic::core::packet_protection server_keys();

  fake_random client_random{1};
  fake_random server_random{2};
  fake_wall_clock clock;
  std::unique_ptr<quic::core::tls_backend> client_tls;
  std::unique_ptr<quic::core::tls_backend> server_tls;
  quic::core::connection_config config;
  quic::core::endpoint client;
  quic::core::endpoint server;
  recorder client_seen;
  recorder server_seen;
  quic::core::connection_handle client_handle;
  quic::core::connection_handle server_handle;
  quic::connection_id first_destination;

 private:
  datagrams take(quic::core::endpoint& from);
};

}  // namespace strata::testkit
