// SPDX-License-Identifier: Apache-2.0
// Packets, handshake bytes and keys as a weapon.
#include <catch2/catch_test_macros.hpp>

#include "core/connection/outgoing_batch.hpp"
#include "core/connection/packet_keys.hpp"
#include "core/wire/frame_type.hpp"
#include "stage/stage.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace strata::hostile;
using namespace std::chrono_literals;
using quic::encryption_level;

namespace {

const std::array<std::byte, 10> ten{};

raw_packet short_packet(std::vector<std::byte> payload) { return {.payload = std::move(payload)}; }

}  // namespace

TEST_CASE("packets: a mebibyte of CRYPTO after the handshake ends it at once", "[attack][Q04]") {
  for (const bool real : {false, true}) {
    std::size_t sent = 0;
    const auto said = attacked_by(
        [&](raw_peer& p) {
          const std::vector<std::byte> piece(1000);
          while (!p.closed_with() && sent < 1 << 20) {
            p.send_frames(crypto_frame{sent, piece});
            p.pump();
            sent += piece.size();
          }
        },
        {.real_tls = real});
    CHECK(said == "CRYPTO_ERROR 0x10a");
    CHECK(sent <= limits::max_crypto_buffer);
  }
}

TEST_CASE("packets: CRYPTO may be ahead by 65535 and 65536 bytes, not by 65537",
          "[attack][Q04][Q05][limits]") {
  const auto ahead = [](std::uint64_t end) {
    return attacked_by(
        [end](raw_peer& p) { p.send_frames(crypto_frame{end - 1, bytes(ten).first(1)}); });
  };
  CHECK(ahead(limits::max_crypto_buffer - 1) == "open");
  CHECK(ahead(limits::max_crypto_buffer) == "open");
  CHECK(ahead(limits::max_crypto_buffer + 1) == "CRYPTO_BUFFER_EXCEEDED");
}

TEST_CASE("packets: CRYPTO far out in the first Initial allocates nothing", "[attack][Q05]") {
  for (const std::uint64_t offset :
       {std::uint64_t{1} << 20, std::uint64_t{1} << 32, (std::uint64_t{1} << 62) - 12}) {
    CHECK(handshake_attacked_by(
              [offset](stage& one) {
                one.attacker.start();
                one.attacker.send({.level = encryption_level::initial,
                                   .payload = raw_peer::encode_all(crypto_frame{offset, ten}),
                                   .pad_datagram_to = 1200});
              },
              {.real_tls = false, .memory = 300 * 1024}) == "CRYPTO_BUFFER_EXCEEDED");
  }
}

TEST_CASE("packets: a ClientHello in crumbs of one byte, last first, still works",
          "[attack][Q06][T12]") {
  for (const bool real : {false, true}) {
    stage one({.real_tls = real});
    one.begin_with_bystander();
    one.attacker.scatters_first_flight = true;
    one.attacker.start();
    CHECK(one.attacker.complete_handshake());
    CHECK(one.verdict() == "open");
  }
}

TEST_CASE("packets: 1024 gaps in CRYPTO are borne, more are not", "[attack][Q06][limits]") {
  for (const std::size_t gaps :
       {limits::max_crypto_gaps, limits::max_crypto_gaps + 1, limits::max_crypto_gaps + 2}) {
    const auto said = attacked_by([gaps](raw_peer& p) {
      for (std::size_t i = 0; i < gaps && !p.closed_with(); ++i)
        p.send_frames(crypto_frame{1 + 2 * i, bytes(ten).first(1)});
    });
    CHECK(said == (gaps <= limits::max_crypto_gaps + 1 ? "open" : "CRYPTO_BUFFER_EXCEEDED"));
  }
}

TEST_CASE("packets: every datagram of a handshake twice makes one connection", "[attack][Q07]") {
  for (const bool real : {false, true}) {
    stage one({.real_tls = real});
    one.begin_with_bystander();
    const auto before = one.server.statistics().connections;
    one.attacker.sends_twice = true;
    one.attacker.start();
    CHECK(one.attacker.complete_handshake());
    CHECK(one.server.statistics().connections == before + 1);
    CHECK(one.verdict() == "open");
  }
}

TEST_CASE("packets: hundreds of acknowledgements in one packet cost what one does",
          "[attack][Q19]") {
  stage one;
  one.begin();
  std::vector<std::byte> payload;
  for (int i = 0; i < 250; ++i) {
    const auto frame = raw_peer::encode_all(
        ack_frame{.largest_acknowledged = 0, .ack_delay = 0, .first_ack_range = 0});
    payload.insert(payload.end(), frame.begin(), frame.end());
  }
  for (int i = 0; i < 200; ++i) one.attacker.send({.payload = payload});
  one.settle();
  CHECK(one.grown() < 16 * 1024);
  CHECK(one.verdict() == "open");
}

TEST_CASE("packets: a frame type that is cut short or too long is never PADDING", "[attack][Q20]") {
  const auto after = [](std::initializer_list<int> frame) {
    return attacked_by([&](raw_peer& p) { p.send(short_packet(octets(frame))); });
  };
  CHECK(after({0x01, 0x00, 0x00, 0x40}) == "FRAME_ENCODING_ERROR");
  CHECK(after({0x01, 0x00, 0x00, 0x80, 0x00}) == "FRAME_ENCODING_ERROR");
  CHECK(after({0x40, 0x00, 0x00, 0x00}) == "PROTOCOL_VIOLATION");
  CHECK(after({0x40, 0x01, 0x00, 0x00}) == "PROTOCOL_VIOLATION");
  CHECK(after({0x40, 0xff, 0x00, 0x00}) == "FRAME_ENCODING_ERROR");
}

TEST_CASE("packets: HANDSHAKE_DONE to a server, at every level", "[attack][Q24]") {
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(handshake_done_frame{}); }) ==
        "PROTOCOL_VIOLATION");
  for (const auto level : {encryption_level::initial, encryption_level::handshake}) {
    CHECK(handshake_attacked_by([level](stage& one) {
            one.attacker.start();
            one.attacker.pump();
            one.attacker.send({.level = level,
                               .payload = raw_peer::encode_all(handshake_done_frame{}),
                               .pad_datagram_to = 1200});
          }) == "PROTOCOL_VIOLATION");
  }
}

TEST_CASE("packets: no frame may stand in a packet type that RFC 9000 section 12.4 denies it",
          "[attack][Q25]") {
  const std::vector<std::vector<std::byte>> frames{
      raw_peer::encode_all(reset_stream_frame{0, 0, 0}),
      raw_peer::encode_all(stop_sending_frame{0, 0}),
      raw_peer::encode_all(new_token_frame{ten}),
      raw_peer::encode_all(stream_frame{0, 0, ten, false}),
      raw_peer::encode_all(max_data_frame{1}),
      raw_peer::encode_all(max_stream_data_frame{0, 1}),
      raw_peer::encode_all(max_streams_frame{true, 1}),
      raw_peer::encode_all(data_blocked_frame{1}),
      raw_peer::encode_all(stream_data_blocked_frame{0, 1}),
      raw_peer::encode_all(streams_blocked_frame{true, 1}),
      octets({0x18, 1, 0, 1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}),
      raw_peer::encode_all(retire_connection_id_frame{0}),
      raw_peer::encode_all(path_challenge_frame{}),
      raw_peer::encode_all(path_response_frame{}),
      raw_peer::encode_all(connection_close_frame{
          .application = true, .error_code = 0, .frame_type = 0, .reason_phrase = {}}),
      raw_peer::encode_all(handshake_done_frame{})};
  for (const auto level : {encryption_level::initial, encryption_level::handshake}) {
    for (const auto& frame : frames) {
      CHECK(handshake_attacked_by([&](stage& one) {
              one.attacker.start();
              one.attacker.pump();
              one.attacker.send({.level = level, .payload = frame, .pad_datagram_to = 1200});
            }) == "PROTOCOL_VIOLATION");
    }
  }
}

TEST_CASE("packets: 7 and 8 that wait for their keys are kept, 9 not", "[attack][R04][limits]") {
  for (const std::uint64_t count : {7u, 8u, 9u}) {
    stage one;
    one.begin_with_bystander();
    one.attacker.start();
    one.attacker.pump();
    for (std::uint64_t i = 0; i < count; ++i)
      one.attacker.send_frames(stream_frame{0, i, bytes(ten).first(1), false});
    REQUIRE(one.attacker.complete_handshake());
    std::array<std::byte, 16> memory;
    bool fin = false;
    CHECK(one.attacked().stream(0).read(memory, fin).value() ==
          std::min<std::uint64_t>(count, limits::max_undecryptable_packets));
  }
}

TEST_CASE("packets: 16383 and 16384 bytes wait for their keys, 16385 do not",
          "[attack][R04][limits]") {
  constexpr std::size_t most = limits::max_undecryptable_bytes;
  for (const std::size_t size : {most - 1, most, most + 1}) {
    stage one;
    one.begin_with_bystander();
    one.attacker.start();
    one.attacker.pump();
    auto payload = raw_peer::encode_all(stream_frame{0, 0, ten, true});
    payload.resize(size - 1 - 8 - 4 - aead_tag_size);
    one.attacker.send({.payload = payload});
    REQUIRE(one.attacker.complete_handshake());
    std::array<std::byte, 16> memory;
    bool fin = false;
    const auto read = one.attacked().stream(0).read(memory, fin);
    CHECK((read && *read == ten.size()) == (size <= most));
  }
}

TEST_CASE("packets: keys are good for 2^20 packets, then an update is due", "[limits]") {
  packet_keys keys;
  keys.set_update_after(limits::key_update_after_packets);
  traffic_secret secret;
  secret.level = encryption_level::application;
  secret.size = 32;
  for (const auto way : {traffic_secret::direction::read, traffic_secret::direction::write}) {
    secret.way = way;
    REQUIRE(keys.install(secret));
  }
  std::uint64_t sealed = 0;
  for (; sealed + 1 < limits::key_update_after_packets; ++sealed)
    keys.on_application_sealed(sealed);
  CHECK(!keys.update_due());
  keys.on_application_sealed(sealed);
  CHECK(keys.update_due());
  keys.on_application_sealed(sealed + 1);
  CHECK(keys.update_due());
}

TEST_CASE("packets: those that nobody can read yet are bounded in bytes", "[attack][R04][Q45]") {
  for (const int type : {0xd0, 0xe0}) {  // 0-RTT and Handshake
    stage one;
    one.begin_with_bystander();
    one.attacker.start();
    const auto before = testkit::held_bytes();
    for (int i = 0; i < 1000; ++i) {
      std::vector<std::byte> noise(8000, static_cast<std::byte>(i));
      auto head = octets({type, 0, 0, 0, 1, 8});
      const auto id = one.attacker.peer_id().bytes();
      head.insert(head.end(), id.begin(), id.end());
      head.push_back(std::byte{0});
      head.push_back(std::byte{0x5f});
      head.push_back(std::byte{0x00});
      std::ranges::copy(head, noise.begin());
      one.attacker.send_datagram(noise);
    }
    CHECK(testkit::held_bytes() - before < limits::max_undecryptable_bytes + 8 * 1024);
    CHECK(one.attacker.complete_handshake());
    CHECK(one.verdict() == "open");
  }
}

TEST_CASE("packets: a forgery does not use up the number of a real packet", "[attack][Q53]") {
  stage one;
  one.begin();
  const auto real =
      one.attacker.make_packet({.payload = raw_peer::encode_all(stream_frame{0, 0, ten, true})});
  for (std::size_t i = 9; i < real.size(); ++i) {
    auto forged = real;
    forged[i] ^= std::byte{0x01};
    one.attacker.send_datagram(forged);
  }
  const auto before = one.attacked().statistics().packets_received;
  one.attacker.send_datagram(real);
  CHECK(one.attacked().statistics().packets_received == before + 1);
  one.attacker.send_datagram(real);
  CHECK(one.attacked().statistics().packets_received == before + 1);
  CHECK(one.verdict() == "open");
}

TEST_CASE("packets: as many forgeries as the AEAD bears are borne, one more is not",
          "[attack][Q54]") {
  // The count stands alone, because nobody forges 2^52 packets in a test.
  forgery_count count;
  count.limit(1000);
  for (int i = 0; i < 1000; ++i) REQUIRE(count.add());
  CHECK(!count.add());
}

TEST_CASE("packets: key updates that are answered go on for ever", "[attack][Q55]") {
  stage one;
  one.begin();
  const auto dropped = one.attacked().statistics().packets_dropped;
  for (std::uint64_t i = 0; i < 100; ++i) {
    one.attacker.update_keys();
    one.attacker.send_frames(stream_frame{0, i, bytes(ten).first(1), false});
    one.attacker.send_frames(ping_frame{});
    one.settle();
    one.attacker.acknowledge_received();
    REQUIRE(!one.attacker.closed_with());
  }
  CHECK(one.attacked().statistics().packets_dropped == dropped);
  CHECK(one.verdict() == "open");
}

TEST_CASE("packets: a second key update before the first is answered", "[attack][Q55]") {
  CHECK(attacked_by([](raw_peer& p) {
          p.update_keys();
          p.send_frames(ping_frame{});
          p.update_keys();
          p.send_frames(ping_frame{});
        }) == "KEY_UPDATE_ERROR");
}

TEST_CASE("packets: a flipped Key Phase bit on forgeries changes no key", "[attack][Q55]") {
  stage one;
  one.begin();
  const auto dropped = one.attacked().statistics().packets_dropped;
  for (int i = 0; i < 100; ++i) {
    one.attacker.send({.payload = raw_peer::encode_all(ping_frame{}, padding_frame{10}),
                       .flip_first_byte = std::byte{0x04}});
  }
  CHECK(one.attacked().statistics().packets_dropped == dropped + 100);
  one.attacker.send_frames(stream_frame{0, 0, ten, true});
  CHECK(one.attacked().statistics().packets_dropped == dropped + 100);
  CHECK(one.verdict() == "open");
}

TEST_CASE("packets: every first byte and every length of ID, in noise, disturbs nobody",
          "[attack][Q56]") {
  stage one;
  one.begin();
  for (int first = 0; first < 256; ++first) {
    for (const int length : {0, 1, 7, 8, 19, 20, 21, 255}) {
      for (const int version : {0, 1, 2}) {
        auto datagram = octets({first, 0, 0, 0, version, length});
        datagram.resize(1250, std::byte{0x33});
        one.attacker.send_datagram(std::move(datagram));
      }
    }
  }
  one.settle();
  CHECK(one.server.statistics().connections == 2);
  CHECK(one.grown() < 64 * 1024);
  CHECK(one.verdict() == "open");
}

TEST_CASE("packets: a packet behind the one that ended the connection is not read",
          "[attack][Q67]") {
  stage one;
  one.begin_with_bystander();
  one.attacker.start();
  one.attacker.pump();
  auto datagram = one.attacker.make_packet(
      {.level = encryption_level::handshake, .payload = octets({0x1f, 0, 0, 0})});
  const auto behind = one.attacker.make_packet(
      {.level = encryption_level::handshake,
       .payload = raw_peer::encode_all(crypto_frame{0, ten}, path_challenge_frame{})});
  datagram.insert(datagram.end(), behind.begin(), behind.end());
  one.attacker.send_datagram(datagram);
  CHECK(one.attacked().closed()->code ==
        static_cast<std::uint64_t>(quic::transport_error::frame_encoding_error));
  CHECK(one.verdict() == "FRAME_ENCODING_ERROR");
}

TEST_CASE("packets: coalesced ones of another connection ID are ignored", "[attack][Q41]") {
  stage one;
  one.begin_with_bystander();
  one.attacker.start();
  one.attacker.pump();
  auto datagram = one.attacker.make_packet(
      {.level = encryption_level::initial,
       .payload = raw_peer::encode_all(ping_frame{}, padding_frame{1160})});
  const auto other = one.attacker.make_packet(
      {.level = encryption_level::handshake,
       .payload = octets({0x1f, 0, 0, 0}),
       .destination = quic::connection_id(std::array<std::byte, 8>{std::byte{9}})});
  datagram.insert(datagram.end(), other.begin(), other.end());
  one.attacker.send_datagram(datagram);
  CHECK(one.attacked().closed() == nullptr);
  CHECK(one.attacker.complete_handshake());
  CHECK(one.verdict() == "open");
}

TEST_CASE("packets: packets by the thousand after a close are answered ever more rarely",
          "[attack][Q57]") {
  stage one;
  one.begin();
  one.attacked().close(one.attacker.now, 5, "enough");
  one.settle();
  const auto before = one.attacker.datagrams_received();
  one.attacker.keeps_frames = false;
  for (int i = 0; i < 100'000; ++i) {
    one.attacker.send_frames(stream_frame{0, 0, ten, false});
    one.attacker.pump();
  }
  CHECK(one.attacker.datagrams_received() - before <= 18);
  CHECK(one.grown() < 32 * 1024);
  CHECK(one.verdict() == "application 0x5");
}

TEST_CASE("packets: a long reason that is no text is cut and escaped", "[attack][Q58]") {
  stage one;
  one.begin();
  const std::vector<std::byte> reason(1100, std::byte{0x1b});
  one.attacker.send_frames(connection_close_frame{
      .application = true, .error_code = 9, .frame_type = 0, .reason_phrase = reason});
  REQUIRE(one.attacked().closed() != nullptr);
  CHECK(one.attacked().closed()->reason.size() == limits::max_reason_size);
  CHECK(one.attacked().closed()->describe().find('\x1b') == std::string::npos);
  CHECK(one.verdict() == "open");
}
