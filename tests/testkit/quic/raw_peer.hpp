// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/connection/handshake.hpp"
#include "core/crypto/packet_protection.hpp"
#include "core/wire/frame.hpp"
#include "core/wire/packet_header.hpp"
#include "strata/quic/core/endpoint.hpp"
#include "testkit/fake_random.hpp"

namespace strata::testkit {

namespace core = quic::core;

/// One packet as the raw peer sends it, rules or no rules.
struct raw_packet {
  quic::encryption_level level = quic::encryption_level::application;
  std::vector<std::byte> payload;       ///< Frames, or anything else.
  std::optional<std::uint64_t> number;  ///< Otherwise the next of its space.
  std::byte flip_first_byte{};      ///< Exclusive-ored into the first byte before it is protected.
  bool corrupt = false;             ///< One bit of the sealed packet is flipped.
  std::size_t pad_datagram_to = 0;  ///< With PADDING inside the packet.
  std::optional<quic::connection_id> destination;  ///< Otherwise the one the other side chose.
  std::optional<quic::connection_id> source;       ///< Otherwise its own; long headers only.
  std::vector<std::byte> token;                    ///< Of Initial packets.
};

/// A frame that the raw peer received.
struct raw_frame {
  quic::encryption_level level = quic::encryption_level::initial;
  std::uint64_t type = 0;
  /// Views inside are valid until the next receive().
  core::frame content;
};

/// Whoever shares the endpoint with a raw peer: gets what is not for the raw peer.
class raw_neighbours {
 public:
  virtual ~raw_neighbours() = default;
  virtual void on_datagrams(const transport::transmit& to, transport::mutable_bytes payload) = 0;
  virtual void on_event(const core::event& event) = 0;
};

/// A QUIC peer that obeys nobody: it completes a real handshake with a core::endpoint that is
/// driven here too, and then, or at any point before, sends whatever packet a test makes, protected
/// with the right keys. No network and no time of its own. A client, unless listen() makes it the
/// server of a client under test.
class raw_peer {
 public:
  /// `tls` makes the raw peer's TLS session and must fit the endpoint's.
  raw_peer(core::endpoint& endpoint, core::tls_backend& tls, std::uint64_t seed);

  transport::address own_address = transport::address::loopback_v4(7000);
  transport::address endpoint_address = transport::address::loopback_v4(443);
  /// As a server: names the client's first Destination Connection ID in its parameters.
  bool names_original = true;
  /// Called with each event of the raw peer's own connection, for an application under attack.
  std::function<void(const core::event&)> on_own_event;
  /// Without neighbours everything the endpoint says is taken for the raw peer's.
  raw_neighbours* neighbours = nullptr;
  /// What to do with the attempts of this peer.
  core::decision admission = core::decision::accept;
  /// Off: nobody decides, and events has the attempt.
  bool decides = true;
  /// Every datagram goes out twice.
  bool sends_twice = false;
  /// The first flight goes out byte by byte, every second one first.
  bool scatters_first_flight = false;
  /// Frames and events are kept for received() and events; off for long attacks, whose memory is
  /// measured.
  bool keeps_frames = true;

  transport::time_point now = transport::time_point(std::chrono::hours(1));

  /// The transport parameters to send; change them before start().
  core::transport_parameters parameters;
  /// Appended as they are, for what no encoder would write.
  std::vector<std::byte> extra_parameters;

  /// Sends the first flight.
  void start();
  /// Begins anew as a Retry packet asks: to its Source Connection ID, with its token.
  struct retry {
    quic::connection_id source;
    std::vector<std::byte> token;
  };
  void follow(const retry& asked);
  /// The Retry packets that came.
  std::vector<retry> retries;
  /// Of every Initial packet that names none itself.
  std::vector<std::byte> token;
  /// Becomes the server of a connection that the endpoint has just begun; complete_handshake() goes
  /// on from there.
  void listen(core::connection_handle connection);
  /// Exchanges datagrams until the endpoint's connection is ready and confirmed here; false when it
  /// was closed before.
  bool complete_handshake();
  /// Acknowledges what has come, as a peaceful peer would. On by default; off, nothing is
  /// acknowledged.
  bool acknowledges = true;

  void send(const raw_packet& packet);
  /// Frames in one 1-RTT packet.
  template <class... Frames>
  void send_frames(const Frames&... frames) {
    send({.payload = encode_all(frames...)});
  }
  template <class... Frames>
  static std::vector<std::byte> encode_all(const Frames&... frames) {
    std::vector<std::byte> out(65'536);
    transport::buffer_writer writer(out);
    (encode(frames, writer), ...);
    out.resize(writer.size());
    return out;
  }
  /// A whole datagram, given to the endpoint as it is.
  void send_datagram(std::vector<std::byte> datagram);
  std::vector<std::byte> make_packet(const raw_packet& packet);
  /// The raw peer's 1-RTT packets are of the next key phase from now on (RFC 9001 section 6). What
  /// the endpoint sends in a later phase is read too.
  void update_keys();

  /// Acknowledges all 1-RTT packets that came since it last did.
  void acknowledge_received() { acknowledge(quic::encryption_level::application); }

  /// Takes everything the endpoint has to send and opens it; then lets its events be seen.
  void pump();
  /// Moves time to the endpoint's next deadline and handles it; false when it has none.
  bool pass_time();

  const std::vector<raw_frame>& received() const noexcept { return received_; }
  /// The CONNECTION_CLOSE that the endpoint sent.
  const std::optional<core::connection_close_frame>& closed_with() const noexcept { return close_; }
  std::size_t datagrams_received() const noexcept { return datagrams_received_; }
  std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  quic::core::connection_handle connection() const noexcept { return connection_; }
  bool ready() const noexcept { return ready_; }
  bool can_seal(quic::encryption_level level) const {
    return static_cast<bool>(keys_[static_cast<std::size_t>(level)].write);
  }
  bool handshake_done_received() const noexcept { return handshake_done_; }
  const quic::connection_id& peer_id() const noexcept { return peer_id_; }
  const quic::connection_id& own_id() const noexcept { return own_id_; }
  /// Handshake bytes that this side has sent in 1-RTT packets by itself: what a test adds goes
  /// behind.
  std::uint64_t crypto_sent() const noexcept { return tickets_sent_; }
  /// The frames of one kind among received().
  template <class Frame>
  std::size_t count() const {
    std::size_t found = 0;
    for (const raw_frame& each : received_) found += std::holds_alternative<Frame>(each.content);
    return found;
  }
  std::vector<core::event> events;
  /// The connection IDs that NEW_CONNECTION_ID frames brought, in their order.
  std::vector<quic::connection_id> issued;

 private:
  struct level_keys {
    core::packet_protection read, write;
  };
  level_keys& keys(quic::encryption_level level) { return keys_[static_cast<std::size_t>(level)]; }
  void receive(transport::mutable_bytes datagram);
  void begin_as_server(const core::packet_header& initial);
  bool open_packet(core::packet_protection& read, std::uint64_t number, std::size_t header_size,
                   transport::mutable_bytes packet);
  void receive_packet(transport::mutable_bytes packet, const core::packet_header& header);
  void receive_frames(quic::encryption_level level, transport::bytes payload);
  void install_secrets();
  void send_handshake_bytes();
  void send_scattered(transport::bytes frames);
  void acknowledge(quic::encryption_level level);
  void drain_events();

  core::endpoint& endpoint_;
  core::tls_backend& tls_;
  fake_random random_;
  core::handshake handshake_;
  std::array<level_keys, quic::encryption_level_count> keys_;
  std::array<std::uint64_t, quic::packet_number_space_count> next_number_{};
  std::array<std::vector<std::uint64_t>, quic::packet_number_space_count> to_acknowledge_;
  std::array<std::optional<std::uint64_t>, quic::packet_number_space_count> largest_;
  quic::connection_id own_id_;
  quic::connection_id peer_id_;
  core::traffic_secret read_secret_, write_secret_;  ///< 1-RTT, of the present phases.
  bool key_phase_ = false;
  std::uint64_t tickets_sent_ = 0;
  bool listens_ = false;
  core::connection_handle connection_;
  std::vector<raw_frame> received_;
  std::vector<std::vector<std::byte>> payloads_;  ///< What the views of received_ point into.
  std::optional<core::connection_close_frame> close_;
  std::vector<std::byte> close_reason_;
  std::size_t datagrams_received_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  bool ready_ = false;
  bool handshake_done_ = false;
  bool peer_id_known_ = false;
};

}  // namespace strata::testkit
