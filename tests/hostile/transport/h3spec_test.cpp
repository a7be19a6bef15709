// SPDX-License-Identifier: Apache-2.0
// The QUIC checks of the h3spec conformance tool, in its order, played against a server that has
// another client.
#include <catch2/catch_test_macros.hpp>

#include "stage/stage.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace strata::hostile;
using quic::encryption_level;

namespace {

const std::array<std::byte, 10> ten{};

std::string with_parameters(const std::function<void(raw_peer&)>& spoil) {
  return handshake_attacked_by([&](stage& one) {
    spoil(one.attacker);
    one.attacker.start();
    one.attacker.complete_handshake();
  });
}

std::string with_parameter(std::initializer_list<int> encoded) {
  return with_parameters([&](raw_peer& p) { p.extra_parameters = octets(encoded); });
}

/// The attacker has the server's Handshake keys and has said nothing with its own.
std::string in_handshake(const raw_packet& packet, stage_options options = {}) {
  return handshake_attacked_by(
      [&](stage& one) {
        one.attacker.start();
        one.attacker.pump();
        one.attacker.send(packet);
      },
      std::move(options));
}

new_connection_id_frame issue(std::uint64_t sequence) {
  const std::array<std::byte, 8> id{std::byte{0x77}};
  return {sequence, 0, quic::connection_id(id), {}};
}

}  // namespace

TEST_CASE("h3spec 1: STREAM beyond the stream's limit", "[attack][H3SPEC-T01]") {
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(stream_frame{0, 1 << 30, ten, false}); }) ==
        "FLOW_CONTROL_ERROR");
}

TEST_CASE("h3spec 2: a stream beyond the limit of streams", "[attack][H3SPEC-T02]") {
  for (const std::uint64_t id : {400u, 402u}) {
    CHECK(attacked_by([id](raw_peer& p) { p.send_frames(stream_frame{id, 0, ten, false}); }) ==
          "STREAM_LIMIT_ERROR");
  }
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(stream_frame{396, 0, ten, false}); }) ==
        "open");
}

TEST_CASE("h3spec 3: no initial_source_connection_id", "[attack][H3SPEC-T03]") {
  CHECK(with_parameters([](raw_peer& p) { p.parameters.initial_source_connection_id.reset(); }) ==
        "TRANSPORT_PARAMETER_ERROR");
}

TEST_CASE("h3spec 4: original_destination_connection_id from a client", "[attack][H3SPEC-T04]") {
  CHECK(with_parameter({0x00, 8, 1, 2, 3, 4, 5, 6, 7, 8}) == "TRANSPORT_PARAMETER_ERROR");
}

TEST_CASE("h3spec 5: preferred_address from a client", "[attack][H3SPEC-T05]") {
  CHECK(with_parameters([](raw_peer& p) {
          p.extra_parameters = octets({0x0d, 0x2d, 127, 0, 0, 1, 1, 1});
          p.extra_parameters.resize(p.extra_parameters.size() + 18);
          p.extra_parameters.push_back(std::byte{4});
          p.extra_parameters.resize(p.extra_parameters.size() + 4 + 16, std::byte{9});
        }) == "TRANSPORT_PARAMETER_ERROR");
}

TEST_CASE("h3spec 6: retry_source_connection_id from a client", "[attack][H3SPEC-T06]") {
  CHECK(with_parameter({0x10, 4, 1, 2, 3, 4}) == "TRANSPORT_PARAMETER_ERROR");
}

TEST_CASE("h3spec 7: stateless_reset_token from a client", "[attack][H3SPEC-T07]") {
  CHECK(with_parameter({0x02, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}) ==
        "TRANSPORT_PARAMETER_ERROR");
}

TEST_CASE("h3spec 8: max_udp_payload_size below 1200", "[attack][H3SPEC-T08]") {
  CHECK(with_parameter({0x03, 2, 0x44, 0xaf}) == "TRANSPORT_PARAMETER_ERROR");
  CHECK(with_parameter({0x03, 2, 0x44, 0xb0}) == "open");
}

TEST_CASE("h3spec 9: ack_delay_exponent above 20", "[attack][H3SPEC-T09]") {
  CHECK(with_parameter({0x0a, 1, 21}) == "TRANSPORT_PARAMETER_ERROR");
  CHECK(with_parameter({0x0a, 1, 20}) == "open");
}

TEST_CASE("h3spec 10: max_ack_delay of 2^14 or more", "[attack][H3SPEC-T10]") {
  CHECK(with_parameter({0x0b, 4, 0x80, 0, 0x40, 0}) == "TRANSPORT_PARAMETER_ERROR");
  CHECK(with_parameter({0x0b, 2, 0x7f, 0xff}) == "open");
}

TEST_CASE("h3spec 11: an unknown frame type", "[attack][H3SPEC-T11]") {
  for (const auto& frame : {octets({0x1f}), octets({0x20}), octets({0x30}), octets({0x40, 0x99}),
                            octets({0xc0, 1, 2, 3, 4, 5, 6, 7})}) {
    CHECK(attacked_by([&](raw_peer& p) { p.send({.payload = frame}); }) == "FRAME_ENCODING_ERROR");
  }
}

TEST_CASE("h3spec 12: a packet without frames", "[attack][H3SPEC-T12]") {
  CHECK(attacked_by([](raw_peer& p) { p.send({.payload = {}}); }) == "PROTOCOL_VIOLATION");
}

TEST_CASE("h3spec 13: reserved bits in a Handshake packet", "[attack][H3SPEC-T13]") {
  CHECK(in_handshake({.level = encryption_level::handshake,
                      .payload = raw_peer::encode_all(ping_frame{}, padding_frame{3}),
                      .flip_first_byte = std::byte{0x04}}) == "PROTOCOL_VIOLATION");
}

TEST_CASE("h3spec 14: reserved bits in a short header", "[attack][H3SPEC-T14]") {
  for (const std::byte bit : {std::byte{0x08}, std::byte{0x10}}) {
    CHECK(attacked_by([bit](raw_peer& p) {
            p.send({.payload = raw_peer::encode_all(ping_frame{}, padding_frame{3}),
                    .flip_first_byte = bit});
          }) == "PROTOCOL_VIOLATION");
  }
}

TEST_CASE("h3spec 15: PATH_CHALLENGE in a Handshake packet", "[attack][H3SPEC-T15]") {
  CHECK(in_handshake({.level = encryption_level::handshake,
                      .payload = raw_peer::encode_all(path_challenge_frame{})}) ==
        "PROTOCOL_VIOLATION");
}

TEST_CASE("h3spec 16: RESET_STREAM on a send-only stream", "[attack][H3SPEC-T16]") {
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(reset_stream_frame{3, 0, 0}); }) ==
        "STREAM_STATE_ERROR");
}

TEST_CASE("h3spec 17: STOP_SENDING on a stream that does not exist", "[attack][H3SPEC-T17]") {
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(stop_sending_frame{1, 0}); }) ==
        "STREAM_STATE_ERROR");
}

TEST_CASE("h3spec 18: NEW_TOKEN from a client", "[attack][H3SPEC-T18]") {
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(new_token_frame{ten}); }) ==
        "PROTOCOL_VIOLATION");
}

TEST_CASE("h3spec 19: STREAM on a server's stream that was never opened", "[attack][H3SPEC-T19]") {
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(stream_frame{1, 0, ten, false}); }) ==
        "STREAM_STATE_ERROR");
}

TEST_CASE("h3spec 20: STREAM on a send-only stream", "[attack][H3SPEC-T20]") {
  stage one;
  one.begin();
  REQUIRE(one.attacked().open(false).value() == 3);
  one.attacker.send_frames(stream_frame{3, 0, ten, false});
  CHECK(one.verdict() == "STREAM_STATE_ERROR");
}

TEST_CASE("h3spec 21: MAX_STREAM_DATA on a stream that was never opened", "[attack][H3SPEC-T21]") {
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(max_stream_data_frame{1, 9}); }) ==
        "STREAM_STATE_ERROR");
}

TEST_CASE("h3spec 22: MAX_STREAM_DATA on a receive-only stream", "[attack][H3SPEC-T22]") {
  CHECK(attacked_by([](raw_peer& p) {
          p.send_frames(stream_frame{2, 0, ten, false}, max_stream_data_frame{2, 9});
        }) == "STREAM_STATE_ERROR");
}

TEST_CASE("h3spec 23: MAX_STREAMS beyond 2^60", "[attack][H3SPEC-T23][Q13]") {
  for (const int type : {0x12, 0x13}) {
    CHECK(attacked_by([type](raw_peer& p) {
            p.send({.payload = octets({type, 0xd0, 0, 0, 0, 0, 0, 0, 1})});
          }) == "FRAME_ENCODING_ERROR");
    CHECK(attacked_by([type](raw_peer& p) {
            p.send({.payload = octets({type, 0xd0, 0, 0, 0, 0, 0, 0, 0})});
          }) == "open");
  }
}

TEST_CASE("h3spec 24: STREAMS_BLOCKED beyond 2^60", "[attack][H3SPEC-T24][Q13]") {
  for (const int type : {0x16, 0x17}) {
    CHECK(attacked_by([type](raw_peer& p) {
            p.send({.payload = octets({type, 0xd0, 0, 0, 0, 0, 0, 0, 1})});
          }) == "FRAME_ENCODING_ERROR");
  }
}

TEST_CASE("h3spec 25: NEW_CONNECTION_ID that retires itself", "[attack][H3SPEC-T25]") {
  CHECK(attacked_by([](raw_peer& p) {
          auto payload = raw_peer::encode_all(issue(1));
          payload[2] = std::byte{2};  // Retire Prior To
          p.send({.payload = payload});
        }) == "FRAME_ENCODING_ERROR");
}

TEST_CASE("h3spec 26: NEW_CONNECTION_ID of zero or of 21 bytes", "[attack][H3SPEC-T26]") {
  for (const int length : {0, 21}) {
    CHECK(attacked_by([length](raw_peer& p) {
            auto payload = octets({0x18, 1, 0, length});
            payload.resize(payload.size() + static_cast<std::size_t>(length) + 16);
            p.send({.payload = payload});
          }) == "FRAME_ENCODING_ERROR");
  }
}

TEST_CASE("h3spec 27: HANDSHAKE_DONE from a client", "[attack][H3SPEC-T27]") {
  CHECK(attacked_by([](raw_peer& p) { p.send_frames(handshake_done_frame{}); }) ==
        "PROTOCOL_VIOLATION");
}

TEST_CASE("h3spec 28: a TLS KeyUpdate in a Handshake packet", "[attack][H3SPEC-T28][T07]") {
  const auto key_update = octets({24, 0, 0, 1, 0});
  CHECK(in_handshake({.level = encryption_level::handshake,
                      .payload = raw_peer::encode_all(crypto_frame{0, key_update})},
                     {.real_tls = true}) == "CRYPTO_ERROR 0x10a");
}

TEST_CASE("h3spec 29: a TLS KeyUpdate in a 1-RTT packet", "[attack][H3SPEC-T29][T07]") {
  const auto key_update = octets({24, 0, 0, 1, 0});
  CHECK(attacked_by([&](raw_peer& p) { p.send_frames(crypto_frame{0, key_update}); },
                    {.real_tls = true}) == "CRYPTO_ERROR 0x10a");
}

TEST_CASE("h3spec 33: TLS EndOfEarlyData in QUIC", "[attack][H3SPEC-T33]") {
  const auto end_of_early_data = octets({5, 0, 0, 0});
  CHECK(in_handshake({.level = encryption_level::handshake,
                      .payload = raw_peer::encode_all(crypto_frame{0, end_of_early_data})},
                     {.real_tls = true}) == "CRYPTO_ERROR 0x10a");
}
