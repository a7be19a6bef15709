// SPDX-License-Identifier: Apache-2.0
// The handshake inside the handshake: what a client or a server can do to the TLS of the other.
#include <catch2/catch_test_macros.hpp>

#include "stage/stage.hpp"
#include "strata/quic/core/limits.hpp"
#include "tls/client_hello.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace strata::hostile;
using quic::encryption_level;

namespace {

constexpr std::uint16_t server_name = 0;
constexpr std::uint16_t alpn = 16;
constexpr std::uint16_t quic_transport_parameters = 57;
constexpr std::uint16_t transport_parameters_of_drafts = 0xffa5;

std::string with_hello(const std::function<void(std::vector<std::byte>&)>& edit) {
  return handshake_attacked_by(
      [](stage& one) {
        one.attacker.start();
        one.attacker.complete_handshake();
      },
      {.edit_hello = edit, .real_tls = true, .memory = 1024 * 1024});
}

std::string with_changed(const std::function<void(client_hello&)>& change) {
  return with_hello([&](std::vector<std::byte>& message) {
    client_hello parsed(message);
    change(parsed);
    message = parsed.message();
  });
}

std::vector<std::byte> text(std::string_view content) {
  const bytes view = transport::as_bytes(content);
  return {view.begin(), view.end()};
}

std::vector<std::byte> name_list(const std::vector<std::byte>& name) {
  std::vector<std::byte> out;
  const auto put = [&out](std::size_t value) {
    out.push_back(static_cast<std::byte>(value >> 8));
    out.push_back(static_cast<std::byte>(value));
  };
  put(name.size() + 3);
  out.push_back(std::byte{0});
  put(name.size());
  out.insert(out.end(), name.begin(), name.end());
  return out;
}

}  // namespace

TEST_CASE("tls: a ClientHello that was taken apart and put together works", "[hostile]") {
  CHECK(with_changed([](client_hello&) {}) == "open");
}

TEST_CASE("tls: no protocol in common", "[attack][H3SPEC-T30]") {
  CHECK(with_changed([](client_hello& hello) {
          hello.replace(alpn, octets({0, 3, 2, 'n', 'o'}));
        }) == "CRYPTO_ERROR 0x178");
  CHECK(with_changed([](client_hello& hello) { hello.remove(alpn); }) == "CRYPTO_ERROR 0x178");
}

TEST_CASE("tls: no transport parameters", "[attack][H3SPEC-T31]") {
  CHECK(with_changed([](client_hello& hello) { hello.remove(quic_transport_parameters); }) ==
        "CRYPTO_ERROR 0x16d");
}

TEST_CASE("tls: transport parameters only where the drafts had them", "[attack][H3SPEC-T32]") {
  CHECK(with_changed([](client_hello& hello) {
          for (auto& each : hello.extensions)
            if (each.type == quic_transport_parameters) each.type = transport_parameters_of_drafts;
        }) == "CRYPTO_ERROR 0x16d");
}

TEST_CASE("tls: cipher suites that QUIC cannot use are refused", "[attack][T16]") {
  for (const auto& suites : {octets({0x13, 0x05}), octets({0xc0, 0x2f}), octets({0x13, 0x04}),
                             octets({0x0a, 0x0a}), octets({})}) {
    const auto said = with_changed([&](client_hello& hello) { hello.cipher_suites = suites; });
    INFO(said);
    CHECK(said.starts_with("CRYPTO_ERROR"));
    CHECK(said.size() == std::string_view("CRYPTO_ERROR 0x128").size());
  }
}

TEST_CASE("tls: hostile names end the attempt or mean nothing", "[attack][Q66]") {
  const std::vector<std::vector<std::byte>> names{text("server.test"),
                                                  octets({'a', 0, 'b'}),
                                                  {},
                                                  std::vector<std::byte>(255, std::byte{'a'}),
                                                  std::vector<std::byte>(256, std::byte{'a'}),
                                                  octets({0xff, 0xfe}),
                                                  text("..")};
  for (const auto& name : names) {
    const auto said =
        with_changed([&](client_hello& hello) { hello.replace(server_name, name_list(name)); });
    INFO(said);
    CHECK((said == "open" || (said.starts_with("CRYPTO_ERROR") && !said.contains(','))));
  }
}

TEST_CASE("tls: protocol lists of every awkward kind", "[attack][Q66]") {
  std::vector<std::byte> long_list = octets({0, 0});
  for (int i = 0; i < 2000; ++i) {
    for (const int octet : {4, int{'n'}, int{'o'}, i & 0x7f, i >> 7})
      long_list.push_back(static_cast<std::byte>(octet));
  }
  const std::size_t size = long_list.size() - 2;
  long_list[0] = static_cast<std::byte>(size >> 8);
  long_list[1] = static_cast<std::byte>(size);
  for (const auto& list :
       {long_list, octets({0, 0}), octets({0, 1, 0}), octets({0, 9, 2, 'n'}), octets({})}) {
    const auto said = with_changed([&](client_hello& hello) { hello.replace(alpn, list); });
    INFO(said);
    CHECK(said.starts_with("CRYPTO_ERROR"));
    CHECK(!said.contains(','));
  }
}

TEST_CASE("tls: a message that begins under Initial keys cannot end under the next",
          "[attack][T08]") {
  const auto said = with_hello([](std::vector<std::byte>& message) {
    const auto more = octets({11, 0, 1});
    message.insert(message.end(), more.begin(), more.end());
  });
  INFO(said);
  CHECK((said == "PROTOCOL_VIOLATION" || said == "CRYPTO_ERROR 0x10a"));
}

TEST_CASE("tls: a ClientHello that says it is huge holds no more than came", "[attack][Q43]") {
  const auto said = handshake_attacked_by(
      [](stage& one) {
        one.attacker.start();
        one.attacker.pump();
        one.run(std::chrono::seconds(11), [&one] { return one.attacked().closed() != nullptr; });
        CHECK(one.attacked().closed() != nullptr);
      },
      {.edit_hello =
           [](std::vector<std::byte>& message) {
             message[1] = std::byte{0xff};
             message[2] = std::byte{0xff};
           },
       .real_tls = true});
  INFO(said);
  CHECK(!said.contains(','));
}

TEST_CASE("tls: a part of a message after the handshake waits for its rest", "[attack][T14]") {
  client_stage one(true);
  REQUIRE(one.begin());
  const auto begun = octets({4, 0, 0, 40, 0, 0});
  one.server.send_frames(crypto_frame{one.server.crypto_sent(), begun});
  CHECK(one.verdict() == "open");
  const std::vector<std::byte> rest(38);
  one.server.send_frames(crypto_frame{one.server.crypto_sent() + begun.size(), rest});
  const auto said = one.verdict();
  INFO(said);
  CHECK((said == "open" || said.starts_with("CRYPTO_ERROR")));
}

TEST_CASE("tls: a server that sends messages without end after the handshake",
          "[attack][Q04][T14]") {
  client_stage one(true);
  REQUIRE(one.begin());
  std::uint64_t offset = one.server.crypto_sent();
  const auto head = octets({4, 0xff, 0xff, 0xff});
  one.server.keeps_frames = false;
  one.server.send_frames(crypto_frame{offset, head});
  offset += head.size();
  const std::vector<std::byte> piece(1000);
  const auto before = testkit::held_bytes();
  for (int i = 0; i < 2000 && !one.server.closed_with(); ++i) {
    one.server.send_frames(crypto_frame{offset, piece});
    one.server.pump();
    offset += piece.size();
  }
  // A client that keeps no tickets drops them unread; what counts is that nothing of it stays.
  CHECK(testkit::held_bytes() < before + 64 * 1024);
  const auto said = one.verdict();
  CHECK((said == "open" || said.starts_with("CRYPTO_ERROR")));
}

TEST_CASE("tls: TLS KeyUpdate from a server", "[attack][T07]") {
  client_stage one(true);
  REQUIRE(one.begin());
  const auto key_update = octets({24, 0, 0, 1, 0});
  one.server.send_frames(crypto_frame{one.server.crypto_sent(), key_update});
  CHECK(one.verdict() == "CRYPTO_ERROR 0x10a");
}

TEST_CASE("tls: CertificateRequest after the handshake is PROTOCOL_VIOLATION", "[attack][T07]") {
  client_stage one(true);
  REQUIRE(one.begin());
  const auto request = octets({13, 0, 0, 3, 0, 0, 0});
  one.server.send_frames(crypto_frame{one.server.crypto_sent(), request});
  CHECK(one.verdict() == "PROTOCOL_VIOLATION");
}

TEST_CASE("tls: a server's transport parameters, each missing or wrong", "[attack][Q68][Q22]") {
  const auto with = [](const std::function<void(raw_peer&)>& spoil) {
    client_stage one;
    spoil(one.server);
    one.begin();
    return one.verdict();
  };
  const std::array<std::byte, 3> wrong{};
  CHECK(with([](raw_peer& p) { p.parameters.initial_source_connection_id.reset(); }) ==
        "TRANSPORT_PARAMETER_ERROR");
  CHECK(with([&](raw_peer& p) {
          p.parameters.initial_source_connection_id = quic::connection_id(wrong);
        }) == "TRANSPORT_PARAMETER_ERROR");
  CHECK(with([&](raw_peer& p) {
          p.parameters.original_destination_connection_id = quic::connection_id(wrong);
        }) == "TRANSPORT_PARAMETER_ERROR");
  CHECK(with([&](raw_peer& p) {
          p.parameters.retry_source_connection_id = quic::connection_id(wrong);
        }) == "TRANSPORT_PARAMETER_ERROR");
  CHECK(with([](raw_peer& p) { p.names_original = false; }) == "TRANSPORT_PARAMETER_ERROR");
  CHECK(with([](raw_peer&) {}) == "open");
}

TEST_CASE("tls: transport parameters at both ends of their range", "[attack][Q23]") {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, (std::uint64_t{1} << 62) - 1}) {
    stage one;
    one.begin_with_bystander();
    auto& p = one.attacker.parameters;
    p.max_idle_timeout = value;
    p.initial_max_data = p.initial_max_stream_data_uni = value;
    p.initial_max_stream_data_bidi_local = p.initial_max_stream_data_bidi_remote = value;
    p.initial_max_streams_bidi = std::min(value, std::uint64_t{1} << 60);
    p.max_ack_delay = std::min<std::uint64_t>(value, (1 << 14) - 1);
    p.ack_delay_exponent = std::min<std::uint64_t>(value, 20);
    p.max_udp_payload_size = std::max<std::uint64_t>(value, 1200);
    p.active_connection_id_limit = std::max<std::uint64_t>(value, 2);
    one.attacker.start();
    REQUIRE(one.attacker.complete_handshake());
    CHECK(one.attacked().closed() == nullptr);
    for (int i = 0; i < 20; ++i) one.pass_time();
    CHECK(one.bystander_unharmed());
  }
}
