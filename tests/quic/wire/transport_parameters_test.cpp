// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/transport_parameters.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>
#include <vector>

#include "hex.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/varint.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::quic::core;
using quic::connection_id;
using quic::role;
using quic::transport_error;
using testkit::copy_of;
using testkit::from_hex;
using testkit::to_hex;
using transport::buffer_reader;
using transport::buffer_writer;
using transport::bytes;

namespace {

using outcome = std::expected<transport_parameters, quic::protocol_failure>;
constexpr std::uint64_t largest = transport::varint_max;

outcome decoded(const std::string& text, role sender = role::server) {
  return decode_transport_parameters(from_hex(text), sender);
}

void check_invalid(const std::string& text, role sender = role::server) {
  INFO(text);
  const auto result = decoded(text, sender);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == transport_error::transport_parameter_error);
  CHECK(*result.error().reason != '\0');
}

std::string varint(std::uint64_t value) {
  std::vector<std::byte> memory(8);
  buffer_writer writer(memory);
  writer.varint(value);
  return to_hex(writer.written());
}

std::string parameter(std::uint64_t id, const std::string& hex_value) {
  return varint(id) + varint(hex_value.size() / 2) + hex_value;
}

std::string integer(std::uint64_t id, std::uint64_t value) { return parameter(id, varint(value)); }

std::vector<std::byte> encoded(const transport_parameters& parameters, bytes grease = {}) {
  std::vector<std::byte> memory(transport_parameters::max_encoded_size);
  buffer_writer writer(memory);
  encode(parameters, writer, grease);
  REQUIRE(writer.ok());
  return copy_of(writer.written());
}

connection_id id_of(const char* text) { return connection_id{bytes(from_hex(text))}; }

std::uint64_t any_up_to(testkit::fake_random& random, std::uint64_t least, std::uint64_t most) {
  return least + (random.next() >> (random.next() % 60)) % (most - least + 1);
}

connection_id any_id(testkit::fake_random& random, std::size_t least) {
  std::vector<std::byte> value(least + random.next() % (connection_id::max_size + 1 - least));
  random.fill(value);
  return connection_id{bytes(value)};
}

preferred_address any_preferred_address(testkit::fake_random& random) {
  preferred_address preferred;
  std::vector<std::byte> v4(4), v6(16);
  random.fill(v4);
  random.fill(v6);
  if (random.happens(0.7)) preferred.ipv4 = transport::address(v4, 4433);
  if (random.happens(0.7)) preferred.ipv6 = transport::address(v6, 443);
  preferred.connection_id = any_id(random, 1);
  random.fill(preferred.stateless_reset_token);
  return preferred;
}

transport_parameters any_parameters(testkit::fake_random& random, role sender) {
  transport_parameters any;
  any.max_idle_timeout = any_up_to(random, 0, largest);
  any.max_udp_payload_size = any_up_to(random, 1200, largest);
  any.initial_max_data = any_up_to(random, 0, largest);
  any.initial_max_stream_data_bidi_local = any_up_to(random, 0, largest);
  any.initial_max_stream_data_bidi_remote = any_up_to(random, 0, largest);
  any.initial_max_stream_data_uni = any_up_to(random, 0, largest);
  any.initial_max_streams_bidi = any_up_to(random, 0, std::uint64_t{1} << 60);
  any.initial_max_streams_uni = any_up_to(random, 0, std::uint64_t{1} << 60);
  any.ack_delay_exponent = any_up_to(random, 0, 20);
  any.max_ack_delay = any_up_to(random, 0, (1 << 14) - 1);
  any.active_connection_id_limit = any_up_to(random, 2, largest);
  any.disable_active_migration = random.happens(0.5);
  any.initial_source_connection_id = any_id(random, 0);
  if (sender == role::client) return any;
  any.original_destination_connection_id = any_id(random, 0);
  if (random.happens(0.5)) any.retry_source_connection_id = any_id(random, 0);
  if (random.happens(0.5)) random.fill(any.stateless_reset_token.emplace());
  if (random.happens(0.5)) any.preferred_address = any_preferred_address(random);
  return any;
}

}  // namespace

TEST_CASE("transport_parameters: nothing on the wire means the defaults of the RFC",
          "[quic][wire][parameters]") {
  const auto absent = decode_transport_parameters({}, role::client).value();
  CHECK(absent == transport_parameters{});
  CHECK(absent.max_idle_timeout == 0);
  CHECK(absent.max_udp_payload_size == 65527);
  CHECK(absent.initial_max_data == 0);
  CHECK(absent.ack_delay_exponent == 3);
  CHECK(absent.max_ack_delay == 25);
  CHECK(absent.active_connection_id_limit == 2);
  CHECK_FALSE(absent.disable_active_migration);
  CHECK_FALSE(absent.initial_source_connection_id);
  CHECK(encoded(transport_parameters{}).empty());
}

TEST_CASE("transport_parameters: those of the sample ClientHello decode",
          "[quic][wire][parameters]") {
  // RFC 9001 appendix A.2, extension 0x39.
  const auto client = decoded(
      "0408ffffffffffffffff 05048000ffff 07048000ffff 080110 01048000 7530 090110"
      "0f088394c8f03e515708 06048000ffff",
      role::client);
  REQUIRE(client);
  CHECK(client->initial_max_data == largest);
  CHECK(client->initial_max_stream_data_bidi_local == 65535);
  CHECK(client->initial_max_stream_data_bidi_remote == 65535);
  CHECK(client->initial_max_stream_data_uni == 65535);
  CHECK(client->initial_max_streams_bidi == 16);
  CHECK(client->initial_max_streams_uni == 16);
  CHECK(client->max_idle_timeout == 30000);
  CHECK(client->initial_source_connection_id == id_of("8394c8f03e515708"));
}

//= RFC 9000 section 7.4
//# An endpoint MUST NOT send a parameter more than once in a given transport parameters extension.
TEST_CASE("transport_parameters: every parameter survives a round trip",
          "[quic][wire][parameters]") {
  testkit::fake_random random(11);
  for (const role sender : {role::client, role::server}) {
    for (int repeat = 0; repeat < 500; ++repeat) {
      const auto original = any_parameters(random, sender);
      const auto again = decode_transport_parameters(encoded(original), sender);
      REQUIRE(again);
      CHECK(*again == original);
    }
  }
}

TEST_CASE("transport_parameters: cut short they are invalid, or lack what was cut off",
          "[quic][wire][parameters][Q22][attack]") {
  testkit::fake_random random(12);
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto whole = encoded(any_parameters(random, role::server));
    std::set<std::size_t> ends{0};
    for (buffer_reader reader{bytes(whole)}; !reader.empty();) {
      reader.varint();
      reader.take_varint_prefixed();
      ends.insert(whole.size() - reader.remaining());
    }
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto cut = copy_of(bytes(whole).first(size));
      CHECK(decode_transport_parameters(cut, role::server).has_value() == ends.contains(size));
    }
  }
}

TEST_CASE("transport_parameters: the largest set fits max_encoded_size",
          "[quic][wire][parameters]") {
  transport_parameters most;
  const auto id = id_of("ffffffffffffffffffffffffffffffffffffffff");
  most.original_destination_connection_id = most.initial_source_connection_id =
      most.retry_source_connection_id = id;
  most.max_idle_timeout = most.max_udp_payload_size = most.initial_max_data = largest;
  most.initial_max_stream_data_bidi_local = most.initial_max_stream_data_bidi_remote = largest;
  most.initial_max_stream_data_uni = most.active_connection_id_limit = largest;
  most.initial_max_streams_bidi = most.initial_max_streams_uni = std::uint64_t{1} << 60;
  most.ack_delay_exponent = 20;
  most.max_ack_delay = 16383;
  most.disable_active_migration = true;
  most.stateless_reset_token.emplace();
  most.preferred_address = preferred_address{{}, {}, id, {}};
  const std::vector<std::byte> grease(transport_parameters::grease_size, std::byte{0xff});
  const auto octets = encoded(most, grease);
  CHECK(octets.size() <= transport_parameters::max_encoded_size);
  CHECK(decode_transport_parameters(octets, role::server) == most);
}

TEST_CASE("transport_parameters: grease is one reserved parameter, which is ignored",
          "[quic][wire][parameters][Q22][attack]") {
  testkit::fake_random random(13);
  for (int repeat = 0; repeat < 200; ++repeat) {
    std::vector<std::byte> grease(transport_parameters::grease_size);
    random.fill(grease);
    const auto octets = encoded(transport_parameters{}, grease);
    buffer_reader reader{bytes(octets)};
    CHECK(reader.varint() % 31 == 27);
    CHECK(reader.take_varint_prefixed().size() < 16);
    CHECK(reader.ok());
    CHECK(reader.empty());
    CHECK(decode_transport_parameters(octets, role::client) == transport_parameters{});
  }
}

TEST_CASE("transport_parameters: unknown ones are skipped, whatever they hold",
          "[quic][wire][parameters][Q22][attack]") {
  //= RFC 9000 section 7.4.2
  //= type=test
  //# An
  //# endpoint MUST ignore transport parameters that it does not support.
  for (const std::uint64_t id : {std::uint64_t{0x11}, std::uint64_t{0x20}, std::uint64_t{27},
                                 std::uint64_t{0x2ab2}, largest}) {
    const auto result = decoded(
        parameter(id, "ffffff") + integer(1, 30) + parameter(id + (id == largest ? 0 : 1), ""),
        role::client);
    REQUIRE(result);
    CHECK(result->max_idle_timeout == 30);
  }
}

TEST_CASE("transport_parameters: a parameter sent twice is an error",
          "[quic][wire][parameters][Q22][attack]") {
  //= RFC 9000 section 7.4
  //= type=test
  //# An endpoint SHOULD treat receipt of duplicate transport
  //# parameters as a connection error of type TRANSPORT_PARAMETER_ERROR.
  for (const std::uint64_t id : {1u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 0x0eu}) {
    check_invalid(integer(id, 2000) + integer(id, 2000));
    check_invalid(integer(id, 2000) + parameter(0x4321, "00") + integer(id, 2001));
  }
  for (const std::uint64_t id : {0x0au, 0x0bu}) check_invalid(integer(id, 5) + integer(id, 5));
  for (const std::uint64_t id : {0u, 0x0fu, 0x10u})
    check_invalid(parameter(id, "aa") + parameter(id, "aa"));
  check_invalid(parameter(0x0c, "") + parameter(0x0c, ""));
  const std::string token(32, 'a');
  check_invalid(parameter(2, token) + parameter(2, token));
}

//= RFC 9000 section 4.6
//# If either is received, the connection MUST be closed immediately with a connection error of
//# type TRANSPORT_PARAMETER_ERROR if the offending value was received in a transport parameter or
//# of type FRAME_ENCODING_ERROR if it was received in a frame.
//= RFC 9000 section 18.2
//# The value of the active_connection_id_limit parameter MUST be at least 2.
//= RFC 9000 section 18.2
//# An endpoint that receives a value less than 2 MUST close the connection with an error of type
//# TRANSPORT_PARAMETER_ERROR.
TEST_CASE("transport_parameters: integers keep their ranges",
          "[quic][wire][parameters][Q22][Q23][attack]") {
  //= RFC 9000 section 7.4
  //= type=test
  //# An endpoint MUST treat receipt of a transport parameter with an invalid value as
  //# a connection error of type TRANSPORT_PARAMETER_ERROR.
  struct range {
    std::uint64_t id, least, most;
  };
  const range ranges[]{{0x01, 0, largest},
                       {0x03, 1200, largest},
                       {0x04, 0, largest},
                       {0x05, 0, largest},
                       {0x06, 0, largest},
                       {0x07, 0, largest},
                       {0x08, 0, std::uint64_t{1} << 60},
                       {0x09, 0, std::uint64_t{1} << 60},
                       {0x0a, 0, 20},
                       {0x0b, 0, 16383},
                       {0x0e, 2, largest}};
  for (const range& one : ranges) {
    INFO("parameter " << one.id);
    CHECK(decoded(integer(one.id, one.least), role::client));
    CHECK(decoded(integer(one.id, one.most), role::client));
    if (one.least > 0) check_invalid(integer(one.id, one.least - 1), role::client);
    if (one.most < largest) {
      CHECK(decoded(integer(one.id, one.most - 1), role::client));
      check_invalid(integer(one.id, one.most + 1), role::client);
      check_invalid(integer(one.id, largest), role::client);
    }
  }
}

TEST_CASE("transport_parameters: an integer fills its length exactly",
          "[quic][wire][parameters][Q22][attack]") {
  for (const std::uint64_t id : {1u, 4u, 5u, 6u, 7u, 8u, 9u, 0x0au, 0x0bu}) {
    check_invalid(parameter(id, ""));
    check_invalid(parameter(id, "40"));
    check_invalid(parameter(id, "0500"));
    check_invalid(parameter(id, "c000000000"));
    // Longer than necessary is legal.
    CHECK(decoded(parameter(id, "4005")));
    CHECK(decoded(parameter(id, "c000000000000005")));
  }
}

TEST_CASE("transport_parameters: lengths that are fixed are held to",
          "[quic][wire][parameters][Q22][attack]") {
  for (std::size_t size = 0; size <= 40; ++size) {
    const std::string value(2 * size, 'b');
    const bool fits_id = size <= 20;
    CHECK(decoded(parameter(0x00, value)).has_value() == fits_id);
    CHECK(decoded(parameter(0x0f, value)).has_value() == fits_id);
    CHECK(decoded(parameter(0x10, value)).has_value() == fits_id);
    CHECK(decoded(parameter(0x02, value)).has_value() == (size == 16));
    CHECK(decoded(parameter(0x0c, value)).has_value() == (size == 0));
  }
}

TEST_CASE("transport_parameters: a length beyond the extension is an error",
          "[quic][wire][parameters][Q22][attack]") {
  check_invalid("01");
  check_invalid("0102 05");
  check_invalid("01 ffffffffffffffff 05");
  check_invalid("4321 02 00");
  check_invalid("c0");
}

TEST_CASE("transport_parameters: preferred_address is the binary structure of section 18.2",
          "[quic][wire][parameters][Q22][attack]") {
  const std::string v4 = "c0000201 1151", v6 = "20010db8000000000000000000000001 01bb";
  const std::string token = "000102030405060708090a0b0c0d0e0f";
  const auto compact = [](std::string text) {
    std::erase(text, ' ');
    return text;
  };
  const auto preferred =
      decoded(parameter(0x0d, compact(v4 + v6 + "04 c0c1c2c3" + token)))->preferred_address.value();
  CHECK(preferred.ipv4.string() == "192.0.2.1:4433");
  CHECK(preferred.ipv6.string() == "[2001:db8::1]:443");
  CHECK(preferred.connection_id == id_of("c0c1c2c3"));
  CHECK(to_hex(preferred.stateless_reset_token) == token);

  const std::string no_v4(12, '0'), no_v6(36, '0');
  const auto only_v6 =
      decoded(parameter(0x0d, compact(no_v4 + v6 + "01 cc" + token)))->preferred_address.value();
  CHECK(only_v6.ipv4 == transport::address());
  CHECK(only_v6.ipv6.is_v6());
  const auto only_v4 =
      decoded(parameter(0x0d, compact(v4 + no_v6 + "01 cc" + token)))->preferred_address.value();
  CHECK(only_v4.ipv6 == transport::address());
  CHECK(only_v4.ipv4.is_v4());
}

TEST_CASE("transport_parameters: preferred_address needs a connection ID of 1 to 20 bytes",
          "[quic][wire][parameters][Q22][attack]") {
  //= RFC 9000 section 18.2
  //= type=test
  //# Similarly,
  //# a server MUST NOT include a zero-length connection ID in this transport
  //# parameter.  A client MUST treat a violation of these requirements as a
  //# connection error of type TRANSPORT_PARAMETER_ERROR.
  const std::string addresses(2 * 24, '1'), token(32, 'a');
  for (unsigned size = 0; size < 256; ++size) {
    const auto octet = static_cast<std::byte>(size);
    const std::string value = addresses + to_hex({&octet, 1}) + std::string(2 * size, 'c') + token;
    CHECK(decoded(parameter(0x0d, value)).has_value() == (size >= 1 && size <= 20));
  }
  const std::string whole = addresses + "01cc" + token;
  for (std::size_t size = 0; size < whole.size(); size += 2)
    check_invalid(parameter(0x0d, whole.substr(0, size)));
  check_invalid(parameter(0x0d, whole + "00"));
}

TEST_CASE("transport_parameters: what only servers send is refused from clients",
          "[quic][wire][parameters]") {
  //= RFC 9000 section 18.2
  //= type=test
  //# A server MUST treat
  //# receipt of any of these transport parameters as a connection error of type
  //# TRANSPORT_PARAMETER_ERROR.
  const std::string token(32, 'a');
  for (const std::string& text :
       {parameter(0x00, "aa"), parameter(0x02, token), parameter(0x10, "aa"),
        parameter(0x0d, std::string(48, '1') + "01cc" + token)}) {
    CHECK(decoded(text, role::server));
    check_invalid(text, role::client);
  }
}

//= RFC 9000 section 7.3
//# The values provided by a peer for these transport parameters MUST match the values that an
//# endpoint used in the Destination and Source Connection ID fields of Initial packets that it
//# sent (and received, for servers).
//= RFC 9000 section 7.3
//# Endpoints MUST validate that received transport parameters match received connection ID values.
//= RFC 9000 section 7.3
//# An endpoint MUST treat the following as a connection error of type TRANSPORT_PARAMETER_ERROR or
//# PROTOCOL_VIOLATION:
TEST_CASE("verify_connection_ids: a server's must be those of the handshake",
          "[quic][wire][parameters][Q68][attack]") {
  //= RFC 9000 section 7.3
  //= type=test
  //# An endpoint MUST treat the absence of the initial_source_connection_id transport
  //# parameter from either endpoint or the absence of the
  //# original_destination_connection_id transport parameter from the server as a
  //# connection error of type TRANSPORT_PARAMETER_ERROR.
  const auto a = id_of("aa"), b = id_of("bb"), c = id_of("cc");
  transport_parameters right;
  right.initial_source_connection_id = a;
  right.original_destination_connection_id = b;
  handshake_connection_ids seen{a, b, std::nullopt};
  const auto verify = [&seen](const transport_parameters& received) {
    return verify_connection_ids(received, role::server, seen).has_value();
  };
  CHECK(verify(right));

  transport_parameters wrong = right;
  wrong.initial_source_connection_id.reset();
  CHECK_FALSE(verify(wrong));
  wrong.initial_source_connection_id = c;
  CHECK_FALSE(verify(wrong));
  wrong = right;
  wrong.original_destination_connection_id.reset();
  CHECK_FALSE(verify(wrong));
  wrong.original_destination_connection_id = c;
  CHECK_FALSE(verify(wrong));
  wrong = right;
  wrong.retry_source_connection_id = c;
  CHECK_FALSE(verify(wrong));

  seen.retry_source = c;
  CHECK(verify(wrong));
  CHECK_FALSE(verify(right));
  wrong.retry_source_connection_id = b;
  CHECK_FALSE(verify(wrong));
  CHECK(verify_connection_ids(wrong, role::server, seen).error().code ==
        transport_error::transport_parameter_error);
}

//= RFC 9000 section 7.3
//# The values provided by a peer for these transport parameters MUST match the values that an
//# endpoint used in the Destination and Source Connection ID fields of Initial packets that it
//# sent (and received, for servers).
TEST_CASE("verify_connection_ids: a client's source must be the one on its packets",
          "[quic][wire][parameters][Q68][attack]") {
  transport_parameters received;
  const handshake_connection_ids seen{connection_id(), std::nullopt, std::nullopt};
  CHECK_FALSE(verify_connection_ids(received, role::client, seen));
  received.initial_source_connection_id.emplace();
  CHECK(verify_connection_ids(received, role::client, seen));
  received.initial_source_connection_id = id_of("00");
  CHECK_FALSE(verify_connection_ids(received, role::client, seen));
}

TEST_CASE("verify_connection_ids: no preferred_address without connection IDs",
          "[quic][wire][parameters]") {
  //= RFC 9000 section 18.2
  //= type=test
  //# A server that chooses
  //# a zero-length connection ID MUST NOT provide a preferred address.
  transport_parameters received;
  received.initial_source_connection_id.emplace();
  received.original_destination_connection_id = id_of("bb");
  const handshake_connection_ids seen{connection_id(), id_of("bb"), std::nullopt};
  CHECK(verify_connection_ids(received, role::server, seen));
  received.preferred_address.emplace().connection_id = id_of("cc");
  CHECK_FALSE(verify_connection_ids(received, role::server, seen));
}
