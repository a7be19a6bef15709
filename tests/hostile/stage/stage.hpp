// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "strata/quic/core/null_tls.hpp"
#include "testkit/counting_allocator.hpp"
#include "testkit/quic/raw_peer.hpp"

namespace strata::hostile {

namespace core = quic::core;
using testkit::raw_packet;
using testkit::raw_peer;
using transport::bytes;
using transport::mutable_bytes;

core::endpoint_config accepting();

/// "FLOW_CONTROL_ERROR", "CRYPTO_ERROR 0x10a", "application 0x105" for a CONNECTION_CLOSE.
std::string name_of(const core::connection_close_frame& close);

class stage;

/// What runs on the server and on the bystander, when it is not the echo of streams.
struct stage_application {
  /// Events of the server's connections, the attacker's among them; lent input is still there.
  std::function<void(core::connection_handle, const core::event&)> on_server_event;
  std::function<void(core::connection_handle, const core::event&)> on_bystander_event;
  /// The bystander asks for something and says whether it got it.
  std::function<bool(stage&, core::connection_handle)> talk;
};

struct stage_options {
  core::endpoint_config server = accepting();
  core::null_tls_options tls;
  /// Changes the ClientHello of the attacker before it is sent.
  std::function<void(std::vector<std::byte>&)> edit_hello;
  bool real_tls = false;  ///< OpenSSL instead of the null backend, for everybody.
  /// What the server may hold at most beyond what it held before the attack, while it lasts.
  std::size_t memory = 512 * 1024;
};

/// A server core under attack: a hostile client that sends what it likes, and beside it a peaceful
/// one, a core too, that must not notice. All in one thread and in the attacker's virtual time. The
/// server's application echoes the streams of the peaceful client and ignores the attacker's.
class stage : private testkit::raw_neighbours {
 public:
  explicit stage(stage_options options = {});

  /// Both handshakes; then memory is measured from here.
  void begin();
  /// Only the bystander's: the attack is on the handshake.
  void begin_with_bystander();

  /// Delivers everything that is under way.
  void settle();
  /// The next deadline of anybody, and what follows; false when there is none.
  bool pass_time();
  /// Runs until `done`, or until so much time has passed.
  bool run(transport::duration limit, const std::function<bool()>& done);

  /// Must be set before begin().
  stage_application application;

  /// How the attacker's connection was closed on the wire: "open" while it is not. Then, if so,
  /// that the bystander was harmed or memory exceeded.
  std::string verdict();
  /// The bystander's connection lives and carries 20,000 bytes there and back.
  bool bystander_unharmed();
  /// Bytes held by everybody beyond what was held at begin().
  std::size_t grown() const;
  std::size_t peak() const;

  core::connection_view attacked() { return server.at(attacker.connection()); }
  bool server_saw(core::event_kind kind) const;

 private:
  struct echo {
    std::vector<std::byte> waiting;
    bool fin = false;
  };
  void on_datagrams(const transport::transmit& to, mutable_bytes payload) override;
  void on_event(const core::event& event) override;
  void serve(core::connection_view connection, std::uint64_t stream);
  void serve_bystander();
  bool flush_bystander();

  stage_options options_;
  testkit::fake_random server_random_{1};
  testkit::fake_random attacker_random_{2};
  testkit::fake_random bystander_random_{3};
  testkit::fake_wall_clock clock_;
  std::unique_ptr<core::tls_backend> server_tls_;
  std::unique_ptr<core::tls_backend> attacker_tls_;
  std::unique_ptr<core::tls_backend> bystander_tls_;

 public:
  core::endpoint server;
  core::endpoint bystander;
  raw_peer attacker;

 private:
  core::connection_handle bystander_connection_;
  core::connection_handle served_;
  bool bystander_ready_ = false;
  std::map<std::uint64_t, echo> echoes_;
  std::uint64_t returned_ = 0;
  bool returned_end_ = false;
  std::vector<std::byte> out_;
  std::size_t held_before_ = 0;
};

/// begin(), the attack, verdict().
std::string attacked_by(const std::function<void(raw_peer&)>& attack, stage_options options = {});
/// The same against the handshake: `attack` gets an attacker that has not yet started.
std::string handshake_attacked_by(const std::function<void(stage&)>& attack,
                                  stage_options options = {});

/// What a core endpoint under attack does as a client: the raw peer is its server.
class client_stage {
 public:
  explicit client_stage(bool real_tls = false);
  /// Completes the handshake; false when the client refused it.
  bool begin();
  /// How the client closed: "open" while it has not.
  std::string verdict();
  core::connection_view victim() { return client.at(connection); }

 private:
  testkit::fake_random client_random_{1};
  testkit::fake_random server_random_{2};
  testkit::fake_wall_clock clock_;
  std::unique_ptr<core::tls_backend> client_tls_;
  std::unique_ptr<core::tls_backend> server_tls_;

 public:
  core::endpoint client;
  core::connection_handle connection;
  raw_peer server;
};

std::vector<std::byte> octets(std::initializer_list<int> values);

}  // namespace strata::hostile
