// SPDX-License-Identifier: Apache-2.0
// Input: what a peer sends into one handshake of the null backend. First byte: the role. Then
// records of level (1), size (2) and bytes.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "strata/quic/core/null_tls.hpp"
#include "strata/transport/core/buffer_reader.hpp"

namespace {

using namespace strata::quic;
using namespace strata::quic::core;

class zero_random final : public strata::transport::random_source {
 public:
  void fill(strata::transport::mutable_bytes out) override {
    for (std::byte& octet : out) octet = std::byte{};
  }
};

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static zero_random random;
  strata::transport::buffer_reader input(bytes(reinterpret_cast<const std::byte*>(data), size));
  const auto tls = make_null_tls(random, {.client_hello_size = 0, .server_flight_size = 0});
  const bool client = (input.u8() & 1) != 0;
  auto made = client ? tls->connect("fuzz", {}) : tls->accept({});
  require(made.has_value());
  tls_session& session = **made;
  session.start();
  while (!input.empty()) {
    const auto level = static_cast<encryption_level>(input.u8() % encryption_level_count);
    session.receive(level, input.take(input.u16()));
    traffic_secret secret;
    while (session.poll_secret(secret)) require(secret.size == 32);
    encryption_level sent = encryption_level::initial;
    std::vector<std::byte> output;
    while (session.take_output(sent, output)) require(session.failure() == nullptr);
  }
  if (session.handshake_complete()) {
    require(session.failure() == nullptr);
    require(session.peer_transport_parameters().has_value());
    require(!session.summary().alpn.empty());
  }
  return 0;
}
