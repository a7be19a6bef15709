// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "stage/stage.hpp"
#include "strata/h3/core/connection.hpp"

namespace strata::hostile {

/// An HTTP/3 core on a connection of a QUIC core, as the driver joins them, without the driver. As
/// a server it answers every request with 200 and ten thousand bytes.
class session {
 public:
  explicit session(h3::role role) : core_({.role = role}, random_), role_(role) {}

  void on_event(transport::time_point now, quic::core::connection_view quic,
                const quic::core::event& event);
  void get(transport::time_point now, quic::core::connection_view quic);
  void run(transport::time_point now, quic::core::connection_view quic);

  std::uint64_t body_received = 0;
  std::uint64_t messages_finished = 0;
  const h3::core::connection& core() const noexcept { return core_; }

 private:
  void pump(transport::time_point now, quic::core::connection_view quic, std::uint64_t id);
  void open_own(quic::core::connection_view quic);
  void run_command(quic::core::connection_view quic, const h3::core::transport_command& command);
  void write(quic::core::connection_view quic, const h3::core::output& output);
  void on_core_event(transport::time_point now, quic::core::connection_view quic,
                     const h3::core::event& event);
  void answer(std::uint64_t id);

  testkit::fake_random random_{11};
  h3::core::connection core_;
  h3::role role_;
  unsigned streams_wanted_ = 0;
  bool closed_ = false;
};

/// A stage whose server and bystander speak HTTP/3.
class h3_stage {
 public:
  explicit h3_stage(stage_options options = {});
  /// Handshakes, and the attacker's control stream with SETTINGS.
  void begin();
  /// The next bytes of one of the attacker's streams.
  void feed(std::uint64_t id, const std::vector<std::byte>& content, bool fin = false);
  /// Acknowledges, settles, and says what became of the attacker.
  std::string verdict();
  /// The code the server reset a stream of the attacker with, or nothing.
  std::optional<std::uint64_t> reset_code(std::uint64_t id) const;
  session& attacked() { return *servers_.at(one.attacker.connection().slot); }

  stage one;

 private:
  bool talk(core::connection_handle connection);

  std::map<std::uint32_t, std::unique_ptr<session>> servers_;
  session client_{h3::role::client};
  std::map<std::uint64_t, std::uint64_t> offsets_;
};

}  // namespace strata::hostile
