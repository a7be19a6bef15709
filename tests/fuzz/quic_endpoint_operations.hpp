// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "observers/qlog_frames.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/null_tls.hpp"
#include "strata/quic/observer.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "testkit/quic/raw_peer.hpp"

/// What both endpoint targets share: a core endpoint with a hostile peer that has the right keys,
/// and an application that does anything at any time, as the input spells it.
namespace strata::quic::fuzz {

using testkit::raw_peer;
using transport::bytes;

inline void check(bool holds) {
  if (!holds) std::abort();
}

/// Looks at every event as a log would, so that what writes them runs too.
class watcher final : public observer {
 public:
  unsigned categories() const noexcept override { return everything; }
  void packet_received(const observed::packet_received& packet) override { write(packet.payload); }
  void packet_sent(const observed::packet_sent& packet) override { write(packet.payload); }
  void connection_closed(const observed::connection_closed& end) override {
    text_ = end.why.describe();
  }

 private:
  void write(bytes payload) {
    text_.clear();
    observers::append_frames(text_, payload, 3);
    check(text_.starts_with('[') && text_.ends_with(']'));
  }

  std::string text_;
};

class endpoint_player {
 public:
  explicit endpoint_player(bool server)
      : own_tls_(core::make_null_tls(own_random_, tls())),
        peer_tls_(core::make_null_tls(peer_random_, tls())),
        endpoint_(config(server), own_random_, clock_, *own_tls_),
        peer_(endpoint_, *peer_tls_, 3),
        server_(server) {
    endpoint_.observe(&watcher_);
    if (server_) {
      peer_.start();
    } else {
      peer_.own_address = transport::address::loopback_v4(443);
      peer_.endpoint_address = transport::address::loopback_v4(7000);
      peer_.listen(endpoint_.connect(peer_.now, peer_.own_address, "fuzz", {}).value());
      peer_.pump();
    }
  }

  void play(bytes input) {
    transport::buffer_reader reader(input);
    for (unsigned steps = 0; !reader.empty() && steps < 300; ++steps) {
      const unsigned what = reader.u8();
      const bytes piece = reader.take(std::min<std::size_t>(reader.u8(), reader.remaining()));
      if (!reader.ok()) return;
      operate(what, piece);
      check(peer_.bytes_received() <= core::limits::amplification_factor * peer_.bytes_sent() ||
            !server_ || endpoint_.at(peer_.connection()).handshake_complete());
      if (peer_.received().size() > 500) return;
    }
  }

 private:
  static core::null_tls_options tls() { return {.client_hello_size = 0, .server_flight_size = 0}; }
  static core::endpoint_config config(bool server) {
    core::endpoint_config made;
    made.accept_incoming = server;
    made.connection.initial_max_data = 20'000;
    made.connection.initial_max_stream_data = 8'000;
    made.connection.max_streams_bidi = made.connection.max_streams_uni = 5;
    return made;
  }

  void operate(unsigned what, bytes piece) {
    std::vector<std::byte> content(piece.begin(), piece.end());
    switch (what & 15) {
      case 0: peer_.complete_handshake(); return;
      case 1: return seal(encryption_level::application, std::move(content));
      case 2: return seal(encryption_level::handshake, std::move(content));
      case 3: return seal(encryption_level::initial, std::move(content));
      case 4:
        if (!content.empty()) peer_.send_datagram(std::move(content));
        return;
      case 5: peer_.pump(); return;
      case 6: peer_.pass_time(); return;
      case 7: return jump(what >> 4);
      case 8: return peer_.acknowledge_received();
      case 9: return use_stream(what >> 4, piece);
      case 10:
        if (can_seal(encryption_level::application)) peer_.update_keys();
        return;
      case 11: peer_.sends_twice = !peer_.sends_twice; return;
      case 12: return use_connection(what >> 4);
      default: return seal(encryption_level::application, std::move(content));
    }
  }

  bool can_seal(encryption_level level) const { return peer_.can_seal(level); }
  void seal(encryption_level level, std::vector<std::byte> content) {
    if (!can_seal(level)) return;
    peer_.send({.level = level,
                .payload = std::move(content),
                .pad_datagram_to = level == encryption_level::initial ? 1200u : 0u});
  }

  void jump(unsigned by) {
    peer_.now += std::chrono::milliseconds(std::uint64_t{1} << by);
    if (const auto due = endpoint_.next_timeout(); due && *due <= peer_.now)
      endpoint_.handle_timeout(peer_.now);
    peer_.pump();
  }

  void use_stream(unsigned how, bytes piece) {
    auto connection = endpoint_.at(peer_.connection());
    if (!connection || piece.empty()) return;
    const auto id = std::to_integer<std::uint64_t>(piece[0]) & 31;
    if (how == 0) static_cast<void>(connection.open((id & 1) != 0));
    if (how == 1) static_cast<void>(connection.accept((id & 1) != 0));
    auto stream = connection.stream(id);
    std::array<std::byte, 300> memory;
    bool fin = false;
    switch (how) {
      case 2: static_cast<void>(stream.read(memory, fin)); return;
      case 3: {
        if (const auto seen = stream.peek(fin)) stream.consume(seen->size() / 2);
        return;
      }
      case 4: static_cast<void>(stream.write({&piece, 1}, (id & 4) != 0)); return;
      case 5: stream.reset(id); return;
      case 6: stream.stop(id); return;
      case 7: stream.forget(); return;
      case 8: stream.prioritize(static_cast<std::uint8_t>(id & 7), (id & 8) != 0); return;
      case 9: {
        static const std::vector<std::byte> lent(5000);
        static_cast<void>(stream.write_borrowed(lent, ++token_, false));
        return;
      }
      default: return;
    }
  }

  void use_connection(unsigned how) {
    auto connection = endpoint_.at(peer_.connection());
    if (!connection) return;
    if (how == 1) connection.close(peer_.now, 7, "fuzz");
    if (how == 2) connection.ping();
    if (how == 3 && connection.closed() != nullptr) connection.release();
  }

  testkit::fake_random own_random_{1};
  testkit::fake_random peer_random_{2};
  testkit::fake_wall_clock clock_;
  watcher watcher_;
  std::unique_ptr<core::tls_backend> own_tls_;
  std::unique_ptr<core::tls_backend> peer_tls_;
  core::endpoint endpoint_;
  raw_peer peer_;
  bool server_;
  std::uint64_t token_ = 0;
};

}  // namespace strata::quic::fuzz
