// SPDX-License-Identifier: Apache-2.0
// qlog-traces DIRECTORY: connections of every kind in virtual time, each scenario's traces in a
// folder of its own. qlog_schema_test.py looks at them.
#include <array>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

#include "../connection/hostile_client.hpp"
#include "core/wire/frame.hpp"
#include "strata/quic/qlog.hpp"
#include "testkit/quic/quic_world.hpp"
#include "testkit/quic/test_tls.hpp"
#include "testkit/quic/transfer_application.hpp"
#include "updating_client.hpp"

namespace {

using namespace strata;
using namespace strata::testkit;
using namespace std::chrono_literals;
using quic::core::decision;
using quic::core::event_kind;

/// Everything that breaks a careless writer of JSON: quotes, escapes, controls, the record
/// separator, text of two to four bytes, broken and overlong sequences, a surrogate.
const std::string hostile_text =
    "\"},\n\x1e{\"name\":\\u0000\t\x7f\xc2\x9b \xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f "
    "\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82" +
    std::string(1, '\0');
const std::string wide_text = "t\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x9f";

struct scenario_failed : std::runtime_error {
  using runtime_error::runtime_error;
};

void require(bool condition, const char* what) {
  if (!condition) throw scenario_failed(what);
}

struct scenario {
  std::filesystem::path directory;
  std::shared_ptr<quic::observer> watcher;

  scenario(const std::filesystem::path& root, const char* name) : directory(root / name) {
    std::filesystem::create_directories(directory);
    watcher = quic::make_qlog_observer(directory);
  }
};

/// Asks each client to prove its address first, then serves the transfer.
class retrying final : public quic_application {
 public:
  explicit retrying(std::unique_ptr<quic_application> inner) : inner_(std::move(inner)) {}
  void on_event(quic_node& node, const quic::core::event& event) override {
    const auto* attempt =
        event.kind == event_kind::incoming ? node.endpoint.incoming(event.value) : nullptr;
    if (attempt != nullptr && !attempt->address_validated) {
      static_cast<void>(node.endpoint.decide(node.now, event.value, decision::retry));
      return;
    }
    inner_->on_event(node, event);
  }
  void on_turn(quic_node& node) override { inner_->on_turn(node); }

 private:
  std::unique_ptr<quic_application> inner_;
};

/// A transfer from its first Initial to its last CONNECTION_CLOSE; both sides write.
void transfer(const scenario& to, bool with_openssl, const conditions& weather) {
  quic_world world(7);
  world.network.set_conditions(weather);
  quic::core::endpoint_config server_config;
  server_config.accept_incoming = true;
  quic_node& server = world.add(transport::address::loopback_v4(443), server_config,
                                with_openssl ? make_openssl_test_tls() : make_null_test_tls(3));
  quic_node& client = world.add(transport::address::loopback_v4(5000), {},
                                with_openssl ? make_openssl_test_tls() : make_null_test_tls(4));
  server.endpoint.observe(to.watcher.get());
  client.endpoint.observe(to.watcher.get());
  const transfer_plan plan{.bidirectional_streams = 3,
                           .unidirectional_streams = 2,
                           .bytes_per_stream = 150'000,
                           .borrowed = 0.5};
  auto client_side = std::make_unique<transfer_application>(plan, 12);
  auto server_side = std::make_unique<transfer_application>(plan, 11);
  transfer_application& watched = *client_side;
  transfer_application& peer = *server_side;
  server.application = std::make_unique<retrying>(std::move(server_side));
  client.application = std::move(client_side);
  const auto connection = client.endpoint.connect(world.now(), server.own, "server.test", {});
  require(connection.has_value(), "no connection");
  watched.start(client, *connection);
  const bool done = world.run(300s, [&] { return watched.closed() && peer.closed(); });
  require(done && watched.complete(), "the transfer did not end");
}

void calm_transfer(const scenario& to) { transfer(to, true, conditions::calm(5ms)); }

void transfer_with_losses(const scenario& to) {
  conditions weather = conditions::calm(20ms);
  weather.loss = 0.08;
  weather.max_in_a_row = 3;
  weather.reorder = 0.05;
  weather.held_back = 30ms;
  weather.duplicate = 0.05;
  weather.corrupt = 0.03;
  transfer(to, false, weather);
}

/// One of every frame, from a peer that then breaks off in the middle of one.
void every_frame(const scenario& to) {
  hostile_client world;
  world.endpoint.observe(to.watcher.get());
  world.peer.start();
  require(world.peer.complete_handshake(), "no handshake");
  const std::array<std::byte, 10> ten{};
  const std::array<std::byte, 8> eight{};
  auto& peer = world.peer;
  peer.send_frames(core::padding_frame{30}, core::ping_frame{});
  peer.send_frames(core::stream_frame{0, 0, ten, false}, core::stream_frame{4, 0, ten, true});
  peer.send_frames(core::reset_stream_frame{0, (std::uint64_t{1} << 62) - 1, 10});
  peer.send_frames(core::stop_sending_frame{4, 77});
  peer.send_frames(core::max_data_frame{(std::uint64_t{1} << 62) - 1},
                   core::max_stream_data_frame{8, 1 << 20});
  peer.send_frames(core::max_streams_frame{true, 200}, core::max_streams_frame{false, 200});
  peer.send_frames(core::data_blocked_frame{5}, core::stream_data_blocked_frame{12, 6});
  peer.send_frames(core::streams_blocked_frame{true, 7}, core::streams_blocked_frame{false, 7});
  quic::stateless_reset_token token{};
  token[0] = std::byte{1};
  peer.send_frames(core::new_connection_id_frame{1, 1, quic::connection_id(eight), token});
  peer.send_frames(core::path_challenge_frame{});
  peer.pump();
  // Type 0x21 is nobody's, and a frame that is cut short is no frame.
  peer.send({.payload = {std::byte{1}, std::byte{0x21}, std::byte{2}}});
  require(world.close_code().has_value(), "an unknown frame was accepted");
}

void close_by_peer(const scenario& to, bool application, const std::string& reason) {
  hostile_client world;
  world.endpoint.observe(to.watcher.get());
  world.peer.start();
  require(world.peer.complete_handshake(), "no handshake");
  core::connection_close_frame frame;
  frame.application = application;
  frame.error_code = application ? 99 : 0x12a;
  frame.reason_phrase = transport::as_bytes(reason);
  world.peer.send_frames(frame);
  world.peer.pump();
}

void hostile_reason_of_application(const scenario& to) { close_by_peer(to, true, hostile_text); }
void hostile_reason_of_transport(const scenario& to) { close_by_peer(to, false, hostile_text); }
void reason_in_utf8(const scenario& to) { close_by_peer(to, true, wide_text); }

void hostile_reason_of_ours(const scenario& to) {
  hostile_client world;
  world.endpoint.observe(to.watcher.get());
  world.peer.start();
  require(world.peer.complete_handshake(), "no handshake");
  world.connection().close(world.peer.now, (std::uint64_t{1} << 62) - 1, hostile_text);
  world.peer.pump();
}

/// A peer that falls silent, in the handshake or after it.
void silence(const scenario& to, bool after_handshake) {
  auto config = hostile_client::accepting();
  config.connection.max_idle_timeout = 1s;
  hostile_client world(config);
  world.endpoint.observe(to.watcher.get());
  world.peer.start();
  if (after_handshake) require(world.peer.complete_handshake(), "no handshake");
  world.peer.acknowledges = false;
  for (int i = 0; i < 200 && world.peer.pass_time(); ++i) world.peer.pump();
}

void idle_timeout(const scenario& to) { silence(to, true); }
void silent_handshake(const scenario& to) { silence(to, false); }

/// The client goes on to the next key phase, and the server with it.
void key_update_by_peer(const scenario& to) {
  fake_random server_random(1), client_random(2);
  fake_wall_clock clock;
  const auto server_tls = make_null_test_tls(1);
  overheard_tls client_tls(client_random);
  core::endpoint endpoint(hostile_client::accepting(), server_random, clock, *server_tls);
  endpoint.observe(to.watcher.get());
  raw_peer peer(endpoint, client_tls, 5);
  peer.start();
  require(peer.complete_handshake(), "no handshake");
  peer.send_frames(core::ping_frame{});
  peer.pump();
  const std::array<std::byte, 8> ping{std::byte{1}};
  constexpr std::uint64_t later = 1000;
  peer.send_datagram(packet_of_next_phase(client_tls.secret, peer.peer_id(), later, ping));
  endpoint.at(peer.connection()).close(peer.now, 3, {});
  peer.pump();
}

/// What cannot be brought about in short: told to the observer as the core would.
void told(const scenario& to) {
  const std::array<std::byte, 8> id{};
  const quic::connection_id name(id);
  const auto start = transport::time_point(1h);
  const quic::observed::subject about{start, name, quic::role::server};
  const auto v6 = transport::address::loopback_v6(443);
  to.watcher->connection_started({about, v6, v6});
  for (const char* state :
       {"attempted", "handshake_complete", "handshake_confirmed", "closing", "draining", "closed"})
    to.watcher->connection_state_updated({about, state});
  to.watcher->key_updated(
      {about, quic::role::server, quic::encryption_level::application, 1, "local_update"});
  for (const char* trigger :
       {"decryption_failure", "duplicate", "header_parse_error", "invalid", "key_unavailable",
        "payload_too_short", "unexpected_packet", "unexpected_source_address", "unexpected_version",
        "unknown_connection_id", "unsupported_packet"})
    to.watcher->packet_dropped({about, quic::observed::packet_kind::unknown, 1200, trigger});
  using kind = quic::close_reason::origin_kind;
  for (int origin = 0; origin <= static_cast<int>(kind::network); ++origin) {
    for (const std::uint64_t code :
         {std::uint64_t{0}, std::uint64_t{0x10}, std::uint64_t{0x11}, std::uint64_t{0xff},
          std::uint64_t{0x100}, std::uint64_t{0x1ff}, (std::uint64_t{1} << 62) - 1}) {
      const quic::close_reason why{static_cast<kind>(origin), code, 0, code == 0 ? "" : wide_text};
      to.watcher->connection_closed({about, why});
    }
  }
  // The same name once more, as a hostile client would choose it: a trace of its own.
  to.watcher->connection_started({about, v6, v6});
}

struct named_scenario {
  const char* name;
  void (*run)(const scenario&);
};

constexpr std::array scenarios{
    named_scenario{"transfer", calm_transfer},
    named_scenario{"losses", transfer_with_losses},
    named_scenario{"every_frame", every_frame},
    named_scenario{"hostile_application", hostile_reason_of_application},
    named_scenario{"hostile_transport", hostile_reason_of_transport},
    named_scenario{"hostile_own", hostile_reason_of_ours},
    named_scenario{"utf8", reason_in_utf8},
    named_scenario{"idle_timeout", idle_timeout},
    named_scenario{"silent_handshake", silent_handshake},
    named_scenario{"key_update", key_update_by_peer},
    named_scenario{"told", told},
};

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2) {
    std::cerr << "usage: qlog-traces DIRECTORY\n";
    return 2;
  }
  for (const auto& [name, run] : scenarios) {
    try {
      run(scenario(arguments[1], name));
    } catch (const std::exception& failed) {
      std::cerr << name << ": " << failed.what() << '\n';
      return 1;
    }
  }
}
