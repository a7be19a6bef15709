// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/transport_parameters.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::address;
using transport::buffer_reader;
using transport::buffer_writer;
using transport::bytes;
using transport::varint_max;
using transport::varint_size;
using parameters_type = transport_parameters;

namespace id {
constexpr std::uint64_t original_destination_connection_id = 0x00;
constexpr std::uint64_t max_idle_timeout = 0x01;
constexpr std::uint64_t stateless_reset_token = 0x02;
constexpr std::uint64_t max_udp_payload_size = 0x03;
constexpr std::uint64_t initial_max_data = 0x04;
constexpr std::uint64_t initial_max_stream_data_bidi_local = 0x05;
constexpr std::uint64_t initial_max_stream_data_bidi_remote = 0x06;
constexpr std::uint64_t initial_max_stream_data_uni = 0x07;
constexpr std::uint64_t initial_max_streams_bidi = 0x08;
constexpr std::uint64_t initial_max_streams_uni = 0x09;
constexpr std::uint64_t ack_delay_exponent = 0x0a;
constexpr std::uint64_t max_ack_delay = 0x0b;
constexpr std::uint64_t disable_active_migration = 0x0c;
constexpr std::uint64_t preferred_address = 0x0d;
constexpr std::uint64_t active_connection_id_limit = 0x0e;
constexpr std::uint64_t initial_source_connection_id = 0x0f;
constexpr std::uint64_t retry_source_connection_id = 0x10;
constexpr std::uint64_t end = 0x11;
}  // namespace id

/// A parameter that is one integer: where it is kept, what it is when absent, and what a peer may
/// say.
struct integer_parameter {
  std::uint64_t id;
  std::uint64_t transport_parameters::* value;
  std::uint64_t absent = 0;
  std::uint64_t smallest = 0;
  std::uint64_t largest = varint_max;
};

//= RFC 9000 section 18.2
//# The default for this parameter is the maximum permitted UDP payload of 65527.
//# Values below 1200 are invalid.
//= RFC 9000 section 4.6
//# If either is received, the connection MUST be closed immediately with a connection error of type
//# TRANSPORT_PARAMETER_ERROR if the offending value was received in a transport parameter or of
//# type FRAME_ENCODING_ERROR if it was received in a frame; see Section 10.2.
//= RFC 9000 section 18.2
//# The value of the active_connection_id_limit parameter MUST be at least 2.
//# An endpoint that receives a value less than 2 MUST close the connection
//# with an error of type TRANSPORT_PARAMETER_ERROR.
constexpr std::array<integer_parameter, 11> integer_parameters{{
    {id::max_idle_timeout, &parameters_type::max_idle_timeout},
    {id::max_udp_payload_size, &parameters_type::max_udp_payload_size,
     parameters_type::default_max_udp_payload_size, parameters_type::min_max_udp_payload_size},
    {id::initial_max_data, &parameters_type::initial_max_data},
    {id::initial_max_stream_data_bidi_local, &parameters_type::initial_max_stream_data_bidi_local},
    {id::initial_max_stream_data_bidi_remote,
     &parameters_type::initial_max_stream_data_bidi_remote},
    {id::initial_max_stream_data_uni, &parameters_type::initial_max_stream_data_uni},
    {id::initial_max_streams_bidi, &parameters_type::initial_max_streams_bidi, 0, 0,
     parameters_type::max_initial_max_streams},
    {id::initial_max_streams_uni, &parameters_type::initial_max_streams_uni, 0, 0,
     parameters_type::max_initial_max_streams},
    {id::ack_delay_exponent, &parameters_type::ack_delay_exponent,
     parameters_type::default_ack_delay_exponent, 0, parameters_type::max_ack_delay_exponent},
    {id::max_ack_delay, &parameters_type::max_ack_delay, parameters_type::default_max_ack_delay, 0,
     parameters_type::max_max_ack_delay},
    {id::active_connection_id_limit, &parameters_type::active_connection_id_limit,
     parameters_type::min_active_connection_id_limit,
     parameters_type::min_active_connection_id_limit},
}};

std::unexpected<protocol_failure> invalid(const char* reason) noexcept {
  return std::unexpected(protocol_failure{transport_error::transport_parameter_error, 0, reason});
}

constexpr bool is_server_only(std::uint64_t parameter) noexcept {
  return parameter == id::original_destination_connection_id ||
         parameter == id::stateless_reset_token || parameter == id::preferred_address ||
         parameter == id::retry_source_connection_id;
}

void put_bytes(buffer_writer& writer, std::uint64_t parameter, bytes value) noexcept {
  writer.varint(parameter);
  writer.put_varint_prefixed(value);
}

void put_address(buffer_writer& writer, const address& where, std::size_t size) noexcept {
  if (where.octets().size() == size) {
    writer.put(where.octets());
    writer.u16(where.port());
  } else {
    assert(where.octets().empty());
    writer.zeros(size + 2);
  }
}

void put_preferred_address(buffer_writer& writer, const preferred_address& preferred) noexcept {
  writer.varint(id::preferred_address);
  writer.varint(4 + 2 + 16 + 2 + 1 + preferred.connection_id.size() +
                preferred.stateless_reset_token.size());
  put_address(writer, preferred.ipv4, 4);
  put_address(writer, preferred.ipv6, 16);
  writer.u8(static_cast<std::uint8_t>(preferred.connection_id.size()));
  writer.put(preferred.connection_id.bytes());
  writer.put(preferred.stateless_reset_token);
}

/// `31 * N + 27`, with N from the first seven bytes, and up to 16 bytes of content.
void put_grease(buffer_writer& writer, bytes random) noexcept {
  assert(random.size() >= transport_parameters::grease_size);
  buffer_reader reader(random);
  const std::uint64_t n = reader.fixed(7);
  const std::size_t size = reader.u8() & 15u;
  put_bytes(writer, 31 * n + 27, reader.take(size));
}

address take_address(buffer_reader& reader, std::size_t size) noexcept {
  const bytes octets = reader.take(size);
  const std::uint16_t port = reader.u16();
  const auto is_zero = [](std::byte octet) { return octet == std::byte{}; };
  if (port == 0 && std::all_of(octets.begin(), octets.end(), is_zero)) return {};
  return address(octets, port);
}

bool read_token(bytes value, stateless_reset_token& token) noexcept {
  if (value.size() != token.size()) return false;
  transport::copy_bytes(token.data(), value);
  return true;
}

bool read_connection_id(bytes value, std::optional<connection_id>& into) noexcept {
  if (value.size() > connection_id::max_size) return false;
  into.emplace(value);
  return true;
}

bool read_preferred_address(bytes value, std::optional<preferred_address>& into) noexcept {
  buffer_reader reader(value);
  preferred_address& preferred = into.emplace();
  preferred.ipv4 = take_address(reader, 4);
  preferred.ipv6 = take_address(reader, 16);
  const std::size_t size = reader.u8();
  //= RFC 9000 section 18.2
  //# Similarly,
  //# a server MUST NOT include a zero-length connection ID in this transport
  //# parameter.  A client MUST treat a violation of these requirements as a
  //# connection error of type TRANSPORT_PARAMETER_ERROR.
  if (size < 1 || size > connection_id::max_size) return false;
  preferred.connection_id = connection_id(reader.take(size));
  return read_token(reader.rest(), preferred.stateless_reset_token);
}

bool read_integer(const integer_parameter& parameter, bytes value,
                  transport_parameters& into) noexcept {
  buffer_reader reader(value);
  const std::uint64_t number = reader.varint();
  into.*parameter.value = number;
  return reader.ok() && reader.empty() && number >= parameter.smallest &&
         number <= parameter.largest;
}

/// False when the value is not what the parameter may hold. Parameters that are not ours are
/// skipped.
bool read_parameter(std::uint64_t parameter, bytes value, transport_parameters& into) noexcept {
  switch (parameter) {
    case id::original_destination_connection_id:
      return read_connection_id(value, into.original_destination_connection_id);
    case id::stateless_reset_token: return read_token(value, into.stateless_reset_token.emplace());
    case id::disable_active_migration: into.disable_active_migration = true; return value.empty();
    case id::preferred_address: return read_preferred_address(value, into.preferred_address);
    case id::initial_source_connection_id:
      return read_connection_id(value, into.initial_source_connection_id);
    case id::retry_source_connection_id:
      return read_connection_id(value, into.retry_source_connection_id);
    default: break;
  }
  for (const integer_parameter& integer : integer_parameters) {
    if (integer.id == parameter) return read_integer(integer, value, into);
  }
  //= RFC 9000 section 7.4.2
  //# An
  //# endpoint MUST ignore transport parameters that it does not support.
  return true;
}

}  // namespace

//= RFC 9000 section 7.4
//# An endpoint MUST NOT send a parameter more than once in a given transport parameters extension.
void encode(const transport_parameters& parameters, buffer_writer& writer, bytes grease) noexcept {
  if (parameters.original_destination_connection_id) {
    put_bytes(writer, id::original_destination_connection_id,
              parameters.original_destination_connection_id->bytes());
  }
  for (const integer_parameter& integer : integer_parameters) {
    const std::uint64_t value = parameters.*integer.value;
    if (value == integer.absent) continue;
    assert(value >= integer.smallest && value <= integer.largest);
    writer.varint(integer.id);
    writer.varint(varint_size(value));
    writer.varint(value);
  }
  if (parameters.stateless_reset_token)
    put_bytes(writer, id::stateless_reset_token, *parameters.stateless_reset_token);
  if (parameters.disable_active_migration) put_bytes(writer, id::disable_active_migration, {});
  if (parameters.preferred_address) put_preferred_address(writer, *parameters.preferred_address);
  if (parameters.initial_source_connection_id) {
    put_bytes(writer, id::initial_source_connection_id,
              parameters.initial_source_connection_id->bytes());
  }
  if (parameters.retry_source_connection_id) {
    put_bytes(writer, id::retry_source_connection_id,
              parameters.retry_source_connection_id->bytes());
  }
  if (!grease.empty()) put_grease(writer, grease);
}

std::expected<transport_parameters, protocol_failure> decode_transport_parameters(
    bytes content, role sender) noexcept {
  transport_parameters parameters;
  std::uint32_t seen = 0;
  for (buffer_reader reader(content); !reader.empty();) {
    const std::uint64_t parameter = reader.varint();
    const bytes value = reader.take_varint_prefixed();
    if (!reader.ok()) return invalid("transport parameters are truncated");
    if (parameter < id::end) {
      //= RFC 9000 section 7.4
      //# An endpoint SHOULD treat receipt of duplicate transport
      //# parameters as a connection error of type TRANSPORT_PARAMETER_ERROR.
      if (seen >> parameter & 1) return invalid("transport parameter sent twice");
      seen |= 1u << parameter;
    }
    //= RFC 9000 section 18.2
    //# A server MUST treat
    //# receipt of any of these transport parameters as a connection error of type
    //# TRANSPORT_PARAMETER_ERROR.
    if (sender == role::client && is_server_only(parameter)) {
      return invalid("client sent a parameter that only servers send");
    }
    //= RFC 9000 section 7.4
    //# An endpoint MUST treat receipt of a transport parameter with an invalid value as
    //# a connection error of type TRANSPORT_PARAMETER_ERROR.
    if (!read_parameter(parameter, value, parameters))
      return invalid("transport parameter with an invalid value");
  }
  return parameters;
}

std::expected<void, protocol_failure> verify_connection_ids(
    const transport_parameters& received, role sender,
    const handshake_connection_ids& seen) noexcept {
  //= RFC 9000 section 7.3
  //# An endpoint MUST treat the absence of the initial_source_connection_id transport
  //# parameter from either endpoint or the absence of the
  //# original_destination_connection_id transport parameter from the server as a
  //# connection error of type TRANSPORT_PARAMETER_ERROR.
  //= RFC 9000 section 7.3
  //# The values provided by a peer for these transport parameters MUST match the
  //# values that an endpoint used in the Destination and Source Connection ID fields
  //# of Initial packets that it sent (and received, for servers).
  //= RFC 9000 section 7.3
  //# Endpoints MUST validate that received transport parameters match received connection ID
  //# values.
  //= RFC 9000 section 7.3
  //# An endpoint MUST treat the following as a connection error of type TRANSPORT_PARAMETER_ERROR
  //# or PROTOCOL_VIOLATION:
  if (received.initial_source_connection_id != seen.peer_initial_source) {
    return invalid("initial_source_connection_id is missing or wrong");
  }
  if (sender == role::client) return {};
  if (!received.original_destination_connection_id ||
      received.original_destination_connection_id != seen.original_destination) {
    return invalid("original_destination_connection_id is missing or wrong");
  }
  // Equal also means: present exactly when a Retry packet was received.
  if (received.retry_source_connection_id != seen.retry_source) {
    return invalid("retry_source_connection_id is missing, unexpected or wrong");
  }
  //= RFC 9000 section 18.2
  //# A server that chooses
  //# a zero-length connection ID MUST NOT provide a preferred address.
  if (received.preferred_address && seen.peer_initial_source.empty()) {
    return invalid("preferred_address from a server without connection ID");
  }
  return {};
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
