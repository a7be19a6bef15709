// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "core/path/local_connection_ids.hpp"
#include "core/path/peer_connection_ids.hpp"
#include "strata/quic/core/limits.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::quic;
using namespace strata::quic::core;

namespace {

struct written {
  template <class Ids>
  explicit written(Ids& ids) {
    transport::buffer_writer writer(memory);
    packet_payload payload{writer, noted};
    ids.write_frames(payload);
    for (transport::buffer_reader reader(writer.written()); !reader.empty();)
      frames.push_back(decode_frame(reader).value());
  }
  std::array<std::byte, 1200> memory{};
  std::vector<sent_frame> noted;
  std::vector<frame> frames;
};

struct local {
  testkit::fake_random random{3};
  testkit::fake_wall_clock clock;
  token_issuer tokens{{}, random, clock};
  connection_id_router router{1};
  local_connection_ids ids{{router, random, tokens, 5}};
};

struct peer {
  peer() { ids.set_initial(connection_id(std::array<std::byte, 4>{})); }
  connection_id_router router{1};
  peer_connection_ids ids{router, 5};
};

new_connection_id_frame issue(std::uint64_t sequence, std::uint64_t retire_prior_to) {
  std::array<std::byte, 8> id{};
  id[0] = static_cast<std::byte>(sequence);
  id[1] = std::byte{1};
  stateless_reset_token token{};
  token[0] = static_cast<std::byte>(sequence);
  return {sequence, retire_prior_to, connection_id(id), token};
}

std::vector<std::uint64_t> retired_by(peer_connection_ids& ids) {
  std::vector<std::uint64_t> sequences;
  for (const frame& each : written(ids).frames)
    sequences.push_back(std::get<retire_connection_id_frame>(each).sequence_number);
  return sequences;
}

using sequences = std::vector<std::uint64_t>;

}  // namespace

//= RFC 9000 section 5.1
//# the same connection ID MUST NOT be issued more than once on the same connection
//= RFC 9000 section 5.1.1
//# The sequence number on each newly issued connection ID MUST increase by 1.
//= RFC 9000 section 5.1.1
//# When an endpoint issues a connection ID, it MUST accept packets that carry this connection ID
//# for the duration of the connection or until its peer invalidates the connection ID via a
//# RETIRE_CONNECTION_ID frame (Section 19.16).
//= RFC 9000 section 10.3.2
//# MUST either use the same connection ID length for all connections or encode
//= RFC 9000 section 10.3.2
//# The same stateless reset token MUST NOT be used for multiple connection IDs.
TEST_CASE(
    "local_connection_ids: numbers rise by one, IDs and tokens are all different, and all lead "
    "here",
    "[quic][path]") {
  local own;
  own.ids.issue(4);
  std::set<std::string> ids{own.ids.initial().hex()};
  std::set<stateless_reset_token> tokens{own.tokens.reset_token(own.ids.initial())};
  CHECK(own.router.find(own.ids.initial()) == 5);
  std::uint64_t sequence = 0;
  const written first(own.ids);
  REQUIRE(first.frames.size() == 3);
  for (const frame& each : first.frames) {
    const auto& issued = std::get<new_connection_id_frame>(each);
    CHECK(issued.sequence_number == ++sequence);
    CHECK(issued.connection_id.size() == local_connection_ids::id_size);
    CHECK(ids.insert(issued.connection_id.hex()).second);
    CHECK(tokens.insert(issued.stateless_reset_token).second);
    CHECK(own.router.find(issued.connection_id) == 5);
  }
  // The place of one that is retired is taken by the next number, and only the retired one is gone.
  const auto& second = std::get<new_connection_id_frame>(first.frames[1]);
  REQUIRE(own.ids.on_retired(2, own.ids.initial()));
  CHECK_FALSE(own.router.find(second.connection_id));
  const written next(own.ids);
  REQUIRE(next.frames.size() == 1);
  CHECK(std::get<new_connection_id_frame>(next.frames[0]).sequence_number == 4);
  CHECK(ids.insert(std::get<new_connection_id_frame>(next.frames[0]).connection_id.hex()).second);
  CHECK(own.router.find(own.ids.initial()) == 5);
}

//= RFC 9000 section 5.1.1
//# An endpoint MUST NOT provide more connection IDs than the peer's limit.
TEST_CASE("local_connection_ids: never more than the peer's limit", "[quic][path]") {
  for (const std::uint64_t limit : {2u, 3u, 4u, 5u, 100u}) {
    local own;
    own.ids.issue(limit);
    CHECK(own.ids.active() == std::min<std::uint64_t>(limit, limits::active_connection_id_limit));
    const written sent(own.ids);
    REQUIRE(own.ids.on_retired(1, own.ids.initial()));
    CHECK(own.ids.active() == std::min<std::uint64_t>(limit, limits::active_connection_id_limit));
  }
}

//= RFC 9000 section 5.1.2
//# Upon receipt of an increased Retire Prior To field, the peer MUST stop using the corresponding
//# connection IDs and retire them with RETIRE_CONNECTION_ID frames before adding the newly
//# provided connection ID to the set of active connection IDs.
//= RFC 9000 section 5.1.2
//# An endpoint MUST NOT forget a connection ID without retiring it
TEST_CASE("peer_connection_ids: a raised Retire Prior To changes the ID in use and is answered",
          "[quic][path]") {
  peer other;
  REQUIRE(other.ids.on(issue(1, 0)));
  CHECK(other.ids.current().size() == 4);
  CHECK_FALSE(other.ids.has_output());
  REQUIRE(other.ids.on(issue(2, 1)));
  CHECK(other.ids.current() == issue(1, 0).connection_id);
  CHECK(retired_by(other.ids) == sequences{0});
  CHECK_FALSE(other.ids.has_output());
  // Until it is known to have arrived it is sent again.
  other.ids.on_lost(0);
  CHECK(retired_by(other.ids) == sequences{0});
  other.ids.on_acked(0);
  other.ids.on_lost(0);
  CHECK_FALSE(other.ids.has_output());
}

//= RFC 9000 section 19.15
//# Receipt of the same frame multiple times MUST NOT be treated as a connection error.
//= RFC 9000 section 19.15
//# A receiver MUST ignore any Retire Prior To fields that do not increase the largest received
//# Retire Prior To value.
TEST_CASE(
    "peer_connection_ids: a Retire Prior To that does not rise, and a repeated frame, do nothing",
    "[quic][path]") {
  peer other;
  REQUIRE(other.ids.on(issue(3, 3)));
  CHECK(retired_by(other.ids) == sequences{0});
  REQUIRE(other.ids.on(issue(4, 1)));
  CHECK(other.ids.current() == issue(3, 3).connection_id);
  for (int i = 0; i < 10; ++i) REQUIRE(other.ids.on(issue(4, 1)));
  CHECK_FALSE(other.ids.has_output());
  REQUIRE(other.ids.on(issue(2, 0)));
  CHECK(retired_by(other.ids) == sequences{2});
}

//= RFC 9000 section 19.15
//# MUST send a corresponding RETIRE_CONNECTION_ID frame that retires the newly received connection
//# ID
TEST_CASE("peer_connection_ids: one that comes below Retire Prior To is retired at once, and once",
          "[quic][path]") {
  peer other;
  REQUIRE(other.ids.on(issue(5, 5)));
  CHECK(retired_by(other.ids) == sequences{0});
  REQUIRE(other.ids.on(issue(2, 0)));
  CHECK(retired_by(other.ids) == sequences{2});
  REQUIRE(other.ids.on(issue(2, 0)));
  CHECK_FALSE(other.ids.has_output());
  CHECK(other.ids.current() == issue(5, 5).connection_id);
}

//= RFC 9000 section 19.15
//# An endpoint that is sending packets with a zero-length Destination Connection ID MUST treat
//# receipt of a NEW_CONNECTION_ID frame as a connection error of type PROTOCOL_VIOLATION.
TEST_CASE("peer_connection_ids: a peer without IDs cannot issue any", "[quic][path]") {
  connection_id_router router{1};
  peer_connection_ids ids(router, 5);
  ids.set_initial(connection_id());
  const auto done = ids.on(issue(1, 0));
  REQUIRE_FALSE(done);
  CHECK(done.error().code == transport_error::protocol_violation);
}
