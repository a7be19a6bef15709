// SPDX-License-Identifier: Apache-2.0
// A flood of Initial packets that anybody can make, and somebody who only wants a connection.
#include <catch2/catch_test_macros.hpp>

#include "core/connection/outgoing_batch.hpp"
#include "core/crypto/key_schedule.hpp"
#include "stage/stage.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/version.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace strata::hostile;
using namespace std::chrono_literals;
using transport::time_point;

namespace {

/// Clients without number, each from an address of its own, of which nothing but the first packet
/// is ever seen. Each packet is valid, with a whole ClientHello.
class crowd {
 public:
  crowd() {
    transport_parameters parameters;
    parameters.initial_source_connection_id = quic::connection_id(own_id_);
    std::vector<std::byte> encoded(transport_parameters::max_encoded_size);
    transport::buffer_writer writer(encoded);
    encode(parameters, writer);
    const auto session = tls_->connect("server.test", writer.written()).value();
    session->start();
    quic::encryption_level level{};
    session->take_output(level, hello_);
  }

  transport::address next_address() {
    ++number_;
    const std::array<std::byte, 4> octets{std::byte{127}, static_cast<std::byte>(number_ >> 16),
                                          static_cast<std::byte>(number_ >> 8),
                                          static_cast<std::byte>(number_)};
    return {octets, static_cast<std::uint16_t>(1024 + number_ % 60'000)};
  }

  std::vector<std::byte> next_packet() {
    std::array<std::byte, 8> id;
    random_.fill(id);
    std::vector<std::byte> datagram(1200);
    transport::buffer_writer writer(datagram);
    const auto layout = write_long_header(writer, {.type = packet_type::initial,
                                                   .version = quic::version_1,
                                                   .destination = id,
                                                   .source = own_id_,
                                                   .token = {},
                                                   .packet_number = 0,
                                                   .packet_number_size = 4});
    encode(crypto_frame{0, hello_}, writer);
    const std::size_t payload = datagram.size() - layout.size - aead_tag_size;
    patch_length(datagram.data(), layout.length_offset, 4 + payload + aead_tag_size);
    auto keys = derive_initial_protection(quic::connection_id(id), true).value();
    keys.client.seal(0, datagram.data(), layout.size, payload);
    const std::byte* sample = datagram.data() + layout.packet_number_offset + 4;
    header_mask mask;
    keys.client.header_masks({&sample, 1}, {&mask, 1});
    apply_header_mask(datagram.data(), layout.packet_number_offset, 4, mask);
    return datagram;
  }

 private:
  testkit::fake_random random_{77};
  std::unique_ptr<core::tls_backend> tls_ = make_null_tls(random_);
  std::array<std::byte, 8> own_id_{std::byte{5}};
  std::vector<std::byte> hello_;
  std::uint32_t number_ = 0x010001;
};

/// A server that admits as its own default does, and one honest client, in virtual time.
class besieged {
 public:
  time_point now{1h};
  testkit::fake_random server_random{1}, client_random{2};
  testkit::fake_wall_clock clock;
  std::unique_ptr<core::tls_backend> server_tls = make_null_tls(server_random);
  std::unique_ptr<core::tls_backend> client_tls = make_null_tls(client_random);
  core::endpoint server{accepting(), server_random, clock, *server_tls};
  core::endpoint client{{}, client_random, clock, *client_tls};
  const transport::address server_address = transport::address::loopback_v4(443);
  const transport::address client_address = transport::address::loopback_v4(5000);
  std::array<std::uint64_t, 4> decisions{};
  std::size_t file = 0;  ///< Bytes of the server's answer that the client has.

  void receive(std::vector<std::byte> datagram, const transport::address& from) {
    const auto stride = static_cast<std::uint16_t>(datagram.size());
    server.receive(now, {datagram, stride, transport::ecn::not_ect, from, server_address});
    serve();
    server.release_input();
  }

  void serve() {
    event occurred;
    while (server.poll_event(occurred)) {
      auto connection = server.at(occurred.connection);
      if (occurred.kind == event_kind::incoming) {
        const auto what = default_admission(*server.incoming(occurred.value), server.statistics());
        ++decisions[static_cast<std::size_t>(what)];
        static_cast<void>(server.decide(now, occurred.value, what));
      } else if (occurred.kind == event_kind::stream_opened) {
        while (const auto id = connection.accept(true)) answer(connection.stream(*id));
      } else if (occurred.kind == event_kind::closed) {
        connection.release();
      }
    }
    std::vector<std::byte>& out = server_out_;
    while (const auto batch = server.poll_transmit(now, out, 64)) {
      if (batch->remote != client_address) continue;  // Nobody is there.
      client.receive(now, {mutable_bytes(out).first(batch->size), batch->segment, batch->mark,
                           server_address, client_address});
      read();
      client.release_input();
    }
  }

  void run_client() {
    while (const auto batch = client.poll_transmit(now, client_out_, 64)) {
      const auto sent = bytes(client_out_).first(batch->size);
      for (std::size_t at = 0; at < sent.size(); at += batch->segment) {
        const auto piece =
            sent.subspan(at, std::min<std::size_t>(batch->segment, sent.size() - at));
        receive({piece.begin(), piece.end()}, client_address);
      }
    }
  }

  void advance(transport::duration step) {
    now += step;
    if (const auto due = server.next_timeout(); due && *due <= now) server.handle_timeout(now);
    if (const auto due = client.next_timeout(); due && *due <= now) client.handle_timeout(now);
    serve();
    run_client();
  }

 private:
  void answer(stream_view stream) {
    const std::vector<std::byte> content(60'000, std::byte{0x66});
    const bytes piece(content);
    static_cast<void>(stream.write({&piece, 1}, true));
    stream.forget();
  }

  void read() {
    event occurred;
    std::array<std::byte, 4096> memory;
    while (client.poll_event(occurred)) {
      auto connection = client.at(occurred.connection);
      if (occurred.kind == event_kind::ready) {
        const auto id = connection.open(true).value();
        static_cast<void>(connection.stream(id).write({}, true));
      }
      bool fin = false;
      if (occurred.kind != event_kind::readable) continue;
      while (const auto size = connection.stream(occurred.stream).read(memory, fin)) {
        file += *size;
        if (fin || *size == 0) break;
      }
    }
  }

  std::vector<std::byte> server_out_ = std::vector<std::byte>(limits::max_batch_bytes);
  std::vector<std::byte> client_out_ = std::vector<std::byte>(limits::max_batch_bytes);
};

}  // namespace

TEST_CASE("flood: 20,000 Initial packets a second for ten seconds, and a client gets its file",
          "[attack][Q42]") {
  besieged scene;
  crowd attackers;
  constexpr std::uint32_t per_second = 20'000;
  testkit::reset_peak();
  const std::size_t before = testkit::held_bytes();
  for (std::uint32_t i = 0; i < 10 * per_second; ++i) {
    scene.receive(attackers.next_packet(), attackers.next_address());
    if (i == 5 * per_second)
      static_cast<void>(scene.client.connect(scene.now, scene.server_address, "server.test", {}));
    if (i % 20 == 19) scene.advance(1ms);
    REQUIRE(scene.server.statistics().half_open <= limits::half_open_before_retry);
  }
  const auto [accepted, refused, retried, ignored] = scene.decisions;
  CHECK(accepted <= 2 * limits::half_open_before_retry + 1);
  CHECK(retried >= 10 * per_second - 2 * limits::half_open_before_retry - 1);
  CHECK(refused + ignored == 0);
  CHECK(scene.file == 60'000);
  // What 512 handshakes hold, a server flight each, and no more however long it lasts.
  CHECK(testkit::peak_bytes() - before < 16 * 1024 * 1024);
  CHECK(scene.server.statistics().connections <= limits::half_open_before_retry + 1);
}

TEST_CASE("flood: 511 handshakes are under way without a Retry, from 512 on it is asked for",
          "[attack][Q42][limits]") {
  incoming_attempt attempt;
  endpoint_statistics statistics;
  for (const std::uint32_t open :
       {limits::half_open_before_retry - 1, limits::half_open_before_retry,
        limits::half_open_before_retry + 1}) {
    statistics.half_open = open;
    const bool crowded = open >= limits::half_open_before_retry;
    attempt.address_validated = false;
    CHECK(default_admission(attempt, statistics) == (crowded ? decision::retry : decision::accept));
    attempt.address_validated = true;
    CHECK(default_admission(attempt, statistics) == decision::accept);
  }
}

TEST_CASE("flood: with 4096 handshakes under way nobody is answered", "[attack][Q42][limits]") {
  incoming_attempt attempt;
  endpoint_statistics statistics;
  for (const std::uint32_t open :
       {limits::max_half_open - 1, limits::max_half_open, limits::max_half_open + 1}) {
    statistics.half_open = open;
    attempt.address_validated = true;
    CHECK(default_admission(attempt, statistics) ==
          (open >= limits::max_half_open ? decision::ignore : decision::accept));
  }
}
