// SPDX-License-Identifier: Apache-2.0
#include "core/wire/frame_type.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace strata::quic::core;

namespace {

constexpr std::array packet_columns{
    std::pair{packet_type::initial, 'I'}, std::pair{packet_type::handshake, 'H'},
    std::pair{packet_type::zero_rtt, '0'}, std::pair{packet_type::one_rtt, '1'}};

std::string packets_of(std::uint64_t type) {
  std::string columns;
  for (const auto& [packet, letter] : packet_columns)
    columns += is_allowed(type, packet) ? letter : '_';
  return columns;
}

struct expected_row {
  std::uint64_t first, last;
  const char* name;
  const char* packets;
  bool ack_eliciting, probing;
};

// Table 3 of RFC 9000, column by column; the two types of CONNECTION_CLOSE, which it writes as
// "ih01", in two rows.
const std::vector<expected_row> table_3{
    {0x00, 0x00, "padding", "IH01", false, true},
    {0x01, 0x01, "ping", "IH01", true, false},
    {0x02, 0x03, "ack", "IH_1", false, false},
    {0x04, 0x04, "reset_stream", "__01", true, false},
    {0x05, 0x05, "stop_sending", "__01", true, false},
    {0x06, 0x06, "crypto", "IH_1", true, false},
    {0x07, 0x07, "new_token", "___1", true, false},
    {0x08, 0x0f, "stream", "__01", true, false},
    {0x10, 0x10, "max_data", "__01", true, false},
    {0x11, 0x11, "max_stream_data", "__01", true, false},
    {0x12, 0x13, "max_streams", "__01", true, false},
    {0x14, 0x14, "data_blocked", "__01", true, false},
    {0x15, 0x15, "stream_data_blocked", "__01", true, false},
    {0x16, 0x17, "streams_blocked", "__01", true, false},
    {0x18, 0x18, "new_connection_id", "__01", true, true},
    {0x19, 0x19, "retire_connection_id", "__01", true, false},
    {0x1a, 0x1a, "path_challenge", "__01", true, true},
    {0x1b, 0x1b, "path_response", "___1", true, true},
    {0x1c, 0x1c, "connection_close", "IH01", false, false},
    {0x1d, 0x1d, "connection_close", "__01", false, false},
    {0x1e, 0x1e, "handshake_done", "___1", true, false},
};

}  // namespace

TEST_CASE("frame_type: legality, names and kinds are those of table 3",
          "[quic][wire][frame][Q25][attack]") {
  //= RFC 9000 section 12.5
  //= type=test
  //# CONNECTION_CLOSE frames signaling
  //# application errors (type 0x1d) MUST only appear in the application data packet
  //# number space.
  std::uint64_t next = 0;
  for (const expected_row& row : table_3) {
    CHECK(row.first == next);
    for (std::uint64_t type = row.first; type <= row.last; ++type) {
      INFO("type " << type);
      CHECK(frame_name(type) == row.name);
      CHECK(packets_of(type) == row.packets);
      CHECK(is_ack_eliciting(type) == row.ack_eliciting);
      CHECK(is_probing(type) == row.probing);
    }
    next = row.last + 1;
  }
  CHECK(next == frame_type::end);
}

TEST_CASE("frame_type: packets without frames allow none", "[quic][wire][frame][Q25][attack]") {
  for (std::uint64_t type = 0; type < 0x40; ++type) {
    CHECK_FALSE(is_allowed(type, packet_type::retry));
    CHECK_FALSE(is_allowed(type, packet_type::version_negotiation));
    CHECK_FALSE(is_allowed(type, packet_type::unknown_version));
  }
}

TEST_CASE("frame_type: types outside of the table are nowhere allowed", "[quic][wire][frame]") {
  for (const std::uint64_t type : {std::uint64_t{0x1f}, std::uint64_t{0x30}, std::uint64_t{0x40},
                                   (std::uint64_t{1} << 62) - 1}) {
    CHECK(packets_of(type) == "____");
    CHECK(frame_name(type) == "unknown");
    CHECK(is_ack_eliciting(type));
    CHECK_FALSE(is_probing(type));
  }
}

TEST_CASE("packet_type: names are those of qlog", "[quic][wire]") {
  CHECK(packet_type_name(packet_type::initial) == "initial");
  CHECK(packet_type_name(packet_type::zero_rtt) == "0RTT");
  CHECK(packet_type_name(packet_type::handshake) == "handshake");
  CHECK(packet_type_name(packet_type::retry) == "retry");
  CHECK(packet_type_name(packet_type::version_negotiation) == "version_negotiation");
  CHECK(packet_type_name(packet_type::one_rtt) == "1RTT");
  CHECK(packet_type_name(packet_type::unknown_version) == "unknown");
}
