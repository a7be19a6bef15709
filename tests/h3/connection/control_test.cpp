// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "harness.hpp"

using namespace strata::h3;
using namespace strata::h3::test;
using strata::h3::core::grease_id;

namespace {

constexpr std::uint64_t no_code = 0x100;

harness settled_client() {
  harness client = harness::client();
  client.feed(3, varint(0) + settings_frame());
  REQUIRE(client.closed_with().empty());
  return client;
}

harness settled_server() {
  harness server = harness::server();
  server.feed(2, varint(0) + settings_frame());
  REQUIRE(server.closed_with().empty());
  return server;
}

}  // namespace

//= RFC 9114 section 7.2.4.2
//= type=test
//# Endpoints MUST NOT require any data to be received from the peer prior to
//# sending the SETTINGS frame; settings MUST be sent as soon as the transport is
//# ready to send data.
//= RFC 9114 section 3.2
//# After the QUIC connection is established, a SETTINGS frame MUST be sent by each endpoint as the
//# initial frame of their respective HTTP control stream.
//= RFC 9114 section 6.2.1
//# Each side MUST initiate a single control stream at the beginning of the connection and send its
//# SETTINGS frame as the first frame on this stream.
//= RFC 9114 section 6.2.1
//# The sender MUST NOT close the control stream
//= RFC 9114 section 7.2.4
//# A SETTINGS frame MUST be sent as the first frame of each control stream (see Section 6.2.1) by
//# each peer, and it MUST NOT be sent subsequently.
//= RFC 9114 section 7.2.4
//# SETTINGS frames MUST NOT be sent on any stream other than the control stream.
//= RFC 9204 section 4.2
//# Each endpoint MUST initiate, at most, one encoder stream and, at most, one decoder stream.
//= RFC 9204 section 4.2
//# The sender MUST NOT close either of these streams
TEST_CASE(
    "connection: control, decoder and encoder streams go out at once, SETTINGS first, in both "
    "roles",
    "[h3][connection]") {
  for (const role each : {role::client, role::server}) {
    harness end({.role = each});
    const byte_vector& control = end.streams[end.control].written;
    REQUIRE(control.size() > 4);
    CHECK(control[0] == std::byte{0});
    CHECK(control[1] == std::byte{4});
    CHECK(end.streams[end.decoder].written == varint(3));
    CHECK(end.streams[end.encoder].written == varint(2));
    CHECK(!end.streams[end.control].written_fin);
  }
}

TEST_CASE("connection: a stream is asked for once, and its bytes wait until QUIC can open it",
          "[h3][connection]") {
  strata::testkit::fake_random random(1);
  connection core({.role = role::client}, random);
  core::transport_command command;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(core.poll_command(command));
    CHECK(command.kind == core::transport_command::kind_type::open_unidirectional);
  }
  CHECK(!core.poll_command(command));
  core::output output;
  CHECK(!core.poll_output(output));
  core.opened(2);
  REQUIRE(core.poll_output(output));
  CHECK(output.stream_id == 2);
  core.sent(2, 1);
  CHECK(!core.poll_output(output));  // QUIC was full
  core.writable(2);
  REQUIRE(core.poll_output(output));
  CHECK(output.pieces[0][0] == std::byte{4});
}

TEST_CASE("connection: the peer's SETTINGS are read byte by byte and told once",
          "[h3][connection]") {
  harness client = harness::client();
  for (const std::byte octet : varint(0) + settings_frame({.max_field_section_size = 1000,
                                                           .enable_connect_protocol = true}))
    client.feed(3, {octet});
  CHECK(client.events == "settings 0\n");
  CHECK(client.core.peer_settings().max_field_section_size == 1000);
  CHECK(client.core.peer_settings().enable_connect_protocol);
}

TEST_CASE("connection: a stream type in eight bytes, one at a time, is still the control stream",
          "[h3][connection]") {
  harness server = harness::server();
  for (const std::byte octet :
       byte_vector{std::byte{0xc0}, {}, {}, {}, {}, {}, {}, {}} + settings_frame())
    server.feed(2, {octet});
  CHECK(server.events == "settings 0\n");
}

TEST_CASE("connection: ENABLE_CONNECT_PROTOCOL from a client says nothing", "[h3][connection]") {
  harness server = harness::server();
  server.feed(2, varint(0) + settings_frame({.enable_connect_protocol = true}));
  CHECK(!server.core.peer_settings().enable_connect_protocol);
}

//= RFC 9114 section 6.2.1
//= type=test
//# Only one control
//# stream per peer is permitted; receipt of a second stream claiming to be a
//# control stream MUST be treated as a connection error of type
//# H3_STREAM_CREATION_ERROR.
//= RFC 9204 section 4.2
//= type=test
//# Receipt
//# of a second instance of either stream type MUST be treated as a connection error
//# of type H3_STREAM_CREATION_ERROR.
TEST_CASE("connection H13: a second control, encoder or decoder stream is H3_STREAM_CREATION_ERROR",
          "[h3][connection][attack][H13]") {
  for (const std::uint64_t type : {0u, 2u, 3u}) {
    harness server = harness::server();
    server.feed(2, varint(type));
    CHECK(server.closed_with().empty());
    server.feed(6, varint(type));
    CHECK(server.closed_with() == "H3_STREAM_CREATION_ERROR");
  }
}

//= RFC 9204 section 4.2
//# An endpoint MUST allow its peer to create an encoder stream and a decoder stream even if the
//# connection's settings prevent their use.
TEST_CASE("connection: encoder and decoder streams may be opened where there is no use for them",
          "[h3][connection]") {
  harness server({.role = role::server, .qpack_table_capacity = 0, .qpack_blocked_streams = 0});
  server.feed(2, varint(0) + settings_frame());
  server.feed(6, varint(2));
  server.feed(10, varint(3));
  CHECK(server.closed_with().empty());
  server.feed(0, headers(get_lines), true);
  CHECK(server.saw("finished 0"));
}

//= RFC 9204 section 4.2
//= type=test
//# Closure of either
//# unidirectional stream type MUST be treated as a connection error of type
//# H3_CLOSED_CRITICAL_STREAM.
TEST_CASE(
    "connection H13: FIN, RESET_STREAM and STOP_SENDING on critical streams close the connection",
    "[h3][connection][attack][H13]") {
  for (const std::uint64_t type : {0u, 2u, 3u}) {
    harness ended = harness::server();
    ended.feed(2, varint(type), true);
    CHECK(ended.closed_with() == "H3_CLOSED_CRITICAL_STREAM");
    harness reset = harness::server();
    reset.feed(2, varint(type));
    reset.core.stream_reset(reset.now, 2, no_code);
    CHECK(reset.closed_with() == "H3_CLOSED_CRITICAL_STREAM");
  }
  for (const std::uint64_t own : {103u, 107u, 111u}) {
    harness stopped = harness::server();
    stopped.core.stop_sending(stopped.now, own, no_code);
    CHECK(stopped.closed_with() == "H3_CLOSED_CRITICAL_STREAM");
  }
}

//= RFC 9114 section 6.2
//= type=test
//# A receiver MUST tolerate unidirectional streams being closed or reset prior to
//# the reception of the unidirectional stream header.
TEST_CASE("connection: a stream that ends before its type means nothing", "[h3][connection]") {
  harness server = harness::server();
  server.feed(2, {}, true);
  server.feed(6, {std::byte{0x40}}, true);
  server.core.stream_reset(server.now, 10, no_code);
  server.feed(14, varint(0) + settings_frame());
  CHECK(server.closed_with().empty());
  CHECK(server.saw("settings 0"));
}

//= RFC 9114 section 6.2
//= type=test
//# Recipients of unknown stream types MUST either abort reading of the
//# stream or discard incoming data without further processing.
//= RFC 9114 section 6.2
//# The recipient MUST NOT consider unknown stream types to be a connection error of any kind.
//= RFC 9114 section 6.2.3
//# Endpoints MUST NOT consider these streams to have any meaning upon receipt.
//= RFC 9114 section 9
//# Implementations MUST discard data or abort reading on unidirectional streams that have unknown
//# or unsupported types.
TEST_CASE("connection H25: unknown stream types are stopped, their bytes dropped",
          "[h3][connection][attack][H25]") {
  harness server = harness::server();
  server.feed(2, varint(grease_id(5)) + text("anything"));
  CHECK(server.commands == "stop 2 H3_STREAM_CREATION_ERROR\n");
  CHECK(server.core.receive(server.now, 2, byte_vector(1000), false).consumed == 1000);
  server.feed(6, varint(0x54), true);
  CHECK(server.commands == "stop 2 H3_STREAM_CREATION_ERROR\n");
  CHECK(server.closed_with().empty());
}

TEST_CASE("connection H25: 15 and 16 unidirectional streams may be open, 17 not",
          "[h3][connection][attack][H25]") {
  harness server = harness::server();
  const std::uint64_t limit = core::limits::max_peer_unidirectional_streams;
  for (std::uint64_t i = 0; i < limit; ++i) server.feed(2 + 4 * i, {std::byte{0x40}});
  CHECK(server.closed_with().empty());
  server.feed(2 + 4 * limit, {std::byte{0x40}});
  CHECK(server.closed_with() == "H3_EXCESSIVE_LOAD");
  harness jump = harness::server();
  jump.feed(2 + 4 * (limit - 1), {std::byte{0x40}});
  CHECK(jump.closed_with().empty());
  harness far = harness::server();
  far.feed(2 + 4 * limit, {std::byte{0x40}});
  CHECK(far.closed_with() == "H3_EXCESSIVE_LOAD");
}

//= RFC 9114 section 6.2.2
//= type=test
//# Only servers can push; if a server receives a client-initiated push stream, this
//# MUST be treated as a connection error of type H3_STREAM_CREATION_ERROR.
//= RFC 9114 section 4.6
//= type=test
//# A client MUST
//# treat receipt of a push stream as a connection error of type H3_ID_ERROR
//# when no MAX_PUSH_ID frame has been sent or when the stream
//# references a push ID that is greater than the maximum push ID.
TEST_CASE("connection H13: push streams are refused by both roles",
          "[h3][connection][attack][H13]") {
  harness server = harness::server();
  server.feed(2, varint(1) + varint(0));
  CHECK(server.closed_with() == "H3_STREAM_CREATION_ERROR");
  harness client = harness::client();
  client.feed(3, varint(1) + varint(0));
  CHECK(client.closed_with() == "H3_ID_ERROR");
}

//= RFC 9114 section 6.1
//= type=test
//# Clients MUST treat receipt of a
//# server-initiated bidirectional stream as a connection error of type
//# H3_STREAM_CREATION_ERROR unless such an extension has been
//# negotiated.
TEST_CASE("connection: a bidirectional stream from the server is H3_STREAM_CREATION_ERROR",
          "[h3][connection]") {
  harness client = harness::client();
  client.feed(1, {std::byte{0}});
  CHECK(client.closed_with() == "H3_STREAM_CREATION_ERROR");
}

//= RFC 9114 section 7.2.5
//= type=test
//# A server MUST treat the receipt of
//# a PUSH_PROMISE frame as a connection error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.4
//# If an endpoint receives a SETTINGS frame on a different stream, the endpoint MUST respond with
//# a connection error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.5
//# A client MUST treat receipt of a PUSH_PROMISE frame that contains a larger push ID than the
//# client has advertised as a connection error of H3_ID_ERROR.
//= RFC 9114 section 7.2.6
//# A client MUST treat a GOAWAY frame on a stream other than the control stream as a connection
//# error of type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.7
//# Receipt of a MAX_PUSH_ID frame on any other stream MUST be treated as a connection error of
//# type H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.7
//# A client MUST treat the receipt of a MAX_PUSH_ID frame as a connection error of type
//# H3_FRAME_UNEXPECTED.
TEST_CASE("connection: frames of the wrong direction or stream, for both roles",
          "[h3][connection]") {
  const auto request_frame_at_server = [](std::uint64_t type) {
    harness server = settled_server();
    server.feed(0, headers(get_lines) + frame(type, varint(0)));
    return server.closed_with();
  };
  for (const std::uint64_t type : {0x02u, 0x03u, 0x04u, 0x05u, 0x06u, 0x07u, 0x08u, 0x09u, 0x0du})
    CHECK(request_frame_at_server(type) == "H3_FRAME_UNEXPECTED");
  CHECK(request_frame_at_server(0x21).empty());

  const auto request_frame_at_client = [](std::uint64_t type) {
    harness client = settled_client();
    REQUIRE(client.core.open_request(0)->send_headers(get_lines, true));
    client.feed(0, headers(ok_lines) + frame(type, varint(0)));
    return client.closed_with();
  };
  for (const std::uint64_t type : {0x02u, 0x03u, 0x04u, 0x06u, 0x07u, 0x08u, 0x09u, 0x0du})
    CHECK(request_frame_at_client(type) == "H3_FRAME_UNEXPECTED");
  CHECK(request_frame_at_client(0x05) == "H3_ID_ERROR");

  harness client = settled_client();
  client.feed(3, frame(frame_type::max_push_id, varint(1)));
  CHECK(client.closed_with() == "H3_FRAME_UNEXPECTED");
}

//= RFC 9114 section 7.1
//# A frame payload that contains additional bytes after the identified fields or a frame payload
//# that terminates before the end of the identified fields MUST be treated as a connection error
//# of type H3_FRAME_ERROR.
//= RFC 9114 section 7.1
//# redundant length encodings MUST be verified to be self-consistent
//= RFC 9114 section 10.8
//# An implementation MUST ensure that the length of a frame exactly matches the length of the
//# fields it contains.
TEST_CASE("connection: control frames of the wrong size are H3_FRAME_ERROR", "[h3][connection]") {
  for (const frame_type type :
       {frame_type::goaway, frame_type::max_push_id, frame_type::cancel_push}) {
    for (const byte_vector& payload :
         {byte_vector{}, varint(0) + varint(0), byte_vector{std::byte{0x40}}, byte_vector(9)}) {
      harness server = settled_server();
      server.feed(2, frame(type, payload));
      CHECK(server.closed_with() == "H3_FRAME_ERROR");
    }
  }
}

TEST_CASE("connection H11: SETTINGS of 4095 and 4096 bytes are read, of 4097 refused at its header",
          "[h3][connection][attack][H11]") {
  const auto sized = [](std::size_t size) {
    byte_vector payload;
    // Parameters of 16 bytes in eight-byte integers, then one that fills up.
    for (std::uint64_t i = 0; payload.size() + 16 <= size && i < 63; ++i) {
      std::byte wide[16];
      strata::transport::encode_varint(0x1000 + i, 8, wide);
      strata::transport::encode_varint(i, 8, wide + 8);
      payload.insert(payload.end(), wide, wide + 16);
    }
    return payload;
  };
  harness small = harness::server();
  small.feed(2, varint(0) + frame(frame_type::settings, sized(1008)));
  CHECK(small.closed_with().empty());
  for (const std::size_t size :
       {core::limits::max_settings_payload - 1, core::limits::max_settings_payload,
        core::limits::max_settings_payload + 1}) {
    harness server = harness::server();
    server.feed(2, varint(0) + varint(4) + varint(size));
    CHECK(server.closed_with() ==
          (size <= core::limits::max_settings_payload ? "" : "H3_EXCESSIVE_LOAD"));
  }
}

//= RFC 9114 section 7.2.7
//= type=test
//# receipt of a MAX_PUSH_ID
//# frame that contains a smaller value than previously received MUST be treated as
//# a connection error of type H3_ID_ERROR.
TEST_CASE("connection H14: MAX_PUSH_ID may repeat and grow, never fall",
          "[h3][connection][attack][H14]") {
  harness server = settled_server();
  for (const std::uint64_t id : {5u, 5u, 9u})
    server.feed(2, frame(frame_type::max_push_id, varint(id)));
  CHECK(server.closed_with().empty());
  server.feed(2, frame(frame_type::max_push_id, varint(8)));
  CHECK(server.closed_with() == "H3_ID_ERROR");
}

//= RFC 9114 section 7.2.3
//= type=test
//# If a
//# server receives a CANCEL_PUSH frame for a push ID that has not yet been
//# mentioned by a PUSH_PROMISE frame, this MUST be treated as a connection error of
//# type H3_ID_ERROR.
//= RFC 9114 section 7.2.3
//# If a CANCEL_PUSH frame is received that references a push ID greater than currently allowed on
//# the connection, this MUST be treated as a connection error of type H3_ID_ERROR.
TEST_CASE("connection H14: CANCEL_PUSH of what was never promised is H3_ID_ERROR in both roles",
          "[h3][connection][attack][H14]") {
  harness server = settled_server();
  server.feed(2, frame(frame_type::cancel_push, varint(0)));
  CHECK(server.closed_with() == "H3_ID_ERROR");
  harness client = settled_client();
  client.feed(3, frame(frame_type::cancel_push, varint(0)));
  CHECK(client.closed_with() == "H3_ID_ERROR");
}

//= RFC 9114 section 5.2
//= type=test
//# Receiving a GOAWAY containing a larger identifier than
//# previously received MUST be treated as a connection error of type H3_ID_ERROR.
TEST_CASE("connection H14: a GOAWAY identifier may repeat and fall, never rise, in both roles",
          "[h3][connection][attack][H14]") {
  harness server = settled_server();
  for (const std::uint64_t id : {9u, 9u, 3u}) server.feed(2, frame(frame_type::goaway, varint(id)));
  CHECK(server.count("goaway 0") == 3);
  server.feed(2, frame(frame_type::goaway, varint(4)));
  CHECK(server.closed_with() == "H3_ID_ERROR");
  harness client = settled_client();
  for (const std::uint64_t id :
       {(std::uint64_t{1} << 62) - 4, std::uint64_t{8}, std::uint64_t{8}, std::uint64_t{4}})
    client.feed(3, frame(frame_type::goaway, varint(id)));
  CHECK(client.closed_with().empty());
  client.feed(3, frame(frame_type::goaway, varint(8)));
  CHECK(client.closed_with() == "H3_ID_ERROR");
}

//= RFC 9114 section 7.2.6
//= type=test
//# A client MUST treat receipt of a
//# GOAWAY frame containing a stream ID of any other type as a connection error of
//# type H3_ID_ERROR.
TEST_CASE("connection: a server's GOAWAY names a request stream", "[h3][connection]") {
  for (const std::uint64_t id : {1u, 2u, 3u, 7u}) {
    harness client = settled_client();
    client.feed(3, frame(frame_type::goaway, varint(id)));
    CHECK(client.closed_with() == "H3_ID_ERROR");
  }
}

//= RFC 9114 section 5.2
//= type=test
//# Endpoints MUST NOT initiate new requests or promise new pushes on the connection
//# after receipt of a GOAWAY frame from the peer.
TEST_CASE(
    "connection: after GOAWAY lower requests finish, the others are rejected, new ones refused",
    "[h3][connection]") {
  harness client = settled_client();
  for (const std::uint64_t id : {0u, 4u, 8u})
    REQUIRE(client.core.open_request(id)->send_headers(get_lines, true));
  client.feed(3, frame(frame_type::goaway, varint(4)));
  CHECK(client.events.ends_with("goaway 0\nrejected 4\nrejected 8\n"));
  CHECK(!client.core.open_request(12));
  client.feed(0, headers(ok_lines), true);
  CHECK(client.saw("finished 0"));
  CHECK(client.core.request_count() == 0);
}

//= RFC 9114 section 4.1.1
//# Servers MUST NOT use the H3_REQUEST_REJECTED error code for requests that were partially or
//# fully processed.
//= RFC 9114 section 5.2
//# the identifier in each frame MUST NOT be greater than the identifier in any previous frame
//= RFC 9114 section 7.1
//# Each frame's payload MUST contain exactly the fields identified in its description.
TEST_CASE("connection: shutdown goes in two steps and never raises its identifier",
          "[h3][connection]") {
  harness server = settled_server();
  server.feed(0, headers(get_lines), true);
  const std::size_t before = server.streams[server.control].written.size();
  server.core.shutdown();
  server.flush();
  server.feed(4, headers(get_lines), true);  // on its way: still served
  CHECK(server.saw("headers 4"));
  server.core.shutdown();
  server.core.shutdown();
  server.flush();
  const byte_vector& control = server.streams[server.control].written;
  CHECK(byte_vector(control.begin() + static_cast<std::ptrdiff_t>(before), control.end()) ==
        frame(frame_type::goaway, varint((std::uint64_t{1} << 62) - 4)) +
            frame(frame_type::goaway, varint(8)));
  server.feed(8, headers(get_lines), true);
  CHECK(!server.saw("headers 8"));
  CHECK(server.commands == "reset 8 H3_REQUEST_REJECTED\nstop 8 H3_REQUEST_REJECTED\n");
  for (const std::uint64_t id : {0u, 4u})
    REQUIRE(server.core.request(id).send_headers(ok_lines, true));
  server.flush();
  CHECK(server.core.request_count() == 0);
}

//= RFC 9114 section 7.2.8
//# Endpoints MUST NOT consider these frames to have any meaning upon receipt.
TEST_CASE("connection H24: reserved frames of 2^20 bytes are skipped anywhere",
          "[h3][connection][attack][H24]") {
  harness server = settled_server();
  const byte_vector pad = frame(grease_id(9), byte_vector(1 << 17));
  server.feed(2, pad);
  server.feed(0, pad + headers(get_lines) + pad + data_frame("body") + pad, true);
  CHECK(server.closed_with().empty());
  CHECK(server.streams[0].body == "body");
  CHECK(server.saw("finished 0"));
}

TEST_CASE("connection: after an error everything is swallowed and nothing is sent",
          "[h3][connection]") {
  harness server = settled_server();
  server.feed(2, settings_frame());
  CHECK(server.closed_with() == "H3_FRAME_UNEXPECTED");
  CHECK(server.events.ends_with("closed 0\n"));
  server.feed(0, headers(get_lines), true);
  server.core.close(error_code::no_error, "later");
  CHECK(server.closed_with() == "H3_FRAME_UNEXPECTED");
  CHECK(server.count("closed 0") == 1);
  CHECK(!server.core.request(0).send_headers(ok_lines, true));
}
