// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "strata/quic/core/null_tls.hpp"
#include "strata/quic/core/role.hpp"
#include "strata/transport/core/buffer_reader.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// One handshake of the null backend. Its messages have TLS's framing (type, 24 bits of length) and
/// order:
///   client, Initial:   hello (random, name, protocols, parameters, padding)
///   server, Initial:   hello (random)
///   server, Handshake: extensions (protocol, parameters), padding, finished (checksum of all
///   before) client, Handshake: finished
class null_session final : public tls_session {
 public:
  struct beginning {
    role side;
    std::string server_name;
    std::vector<std::byte> transport_parameters;
    std::array<std::byte, 32> random;
  };
  null_session(beginning start, const null_tls_options& options);

  void start() override;
  void receive(encryption_level level, bytes input) override;
  bool poll_secret(traffic_secret& out) override;
  bool take_output(encryption_level& level, std::vector<std::byte>& out) override;
  std::optional<bytes> peer_transport_parameters() const override;
  bool handshake_complete() const override { return complete_ && !failure_; }
  const tls_failure* failure() const override { return failure_ ? &*failure_ : nullptr; }
  const tls_summary& summary() const override { return summary_; }

 private:
  enum class message : std::uint8_t {
    client_hello = 1,
    server_hello = 2,
    extensions = 8,
    padding = 11,
    finished = 20
  };
  using digest = std::array<std::byte, 32>;

  void take_messages();
  void take(message type, bytes whole);
  void take_client_hello(transport::buffer_reader body);
  void take_server_hello(transport::buffer_reader body);
  void take_extensions(transport::buffer_reader body);
  void take_finished(transport::buffer_reader body);
  void send_server_flight();
  void send(encryption_level level, message type, bytes body);
  void send_finished();
  void absorb(bytes whole);
  digest finished_by(role side) const;
  void add_secret(encryption_level level, role writer);
  void fail(std::uint8_t alert, const char* reason);

  beginning self_;
  null_tls_options options_;
  std::array<std::vector<std::byte>, encryption_level_count> inbox_;
  std::array<std::vector<std::byte>, encryption_level_count> outbox_;
  std::vector<traffic_secret> secrets_;
  std::size_t next_secret_ = 0;
  digest transcript_{};
  message expected_;
  encryption_level read_level_ = encryption_level::initial;
  std::optional<std::vector<std::byte>> peer_parameters_;
  std::optional<tls_failure> failure_;
  tls_summary summary_;
  bool complete_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
