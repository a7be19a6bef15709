// SPDX-License-Identifier: Apache-2.0
// Input: operations of kind (1), two numbers (1 each): the connection IDs of both sides, issued,
// retired, acknowledged and lost in any order.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "core/path/local_connection_ids.hpp"
#include "core/path/peer_connection_ids.hpp"
#include "strata/quic/core/limits.hpp"
#include "testkit/fake_random.hpp"

namespace {

using namespace strata;
using namespace strata::quic::core;

void require(bool holds) {
  if (!holds) std::abort();
}

quic::connection_id id_of(unsigned number) {
  const std::array<std::byte, 4> octets{static_cast<std::byte>(number), std::byte{1}};
  return quic::connection_id(octets);
}

quic::stateless_reset_token token_of(unsigned number) {
  quic::stateless_reset_token token{};
  token[0] = static_cast<std::byte>(number);
  token[1] = std::byte{1};
  return token;
}

class both_sides {
 public:
  both_sides() { peer_.set_initial(id_of(0)); }

  /// False when the peer broke a rule: the connection is over then.
  bool operate(unsigned kind, unsigned a, unsigned b) {
    std::array<std::byte, 300> memory;
    transport::buffer_writer writer(memory);
    frames_.clear();
    packet_payload payload{writer, frames_};
    switch (kind % 8) {
      case 0: return peer_.on({a, std::min(a, b), id_of(a), token_of(a)}).has_value();
      case 1: return peer_.on({a, std::min(a, b), id_of(b), token_of(b)}).has_value();
      case 2: peer_.write_frames(payload); break;
      case 3: peer_.on_acked(a); break;
      case 4: peer_.on_lost(a); break;
      case 5: return local_.on_retired(a, id_of(b)).has_value();
      case 6: local_.write_frames(payload); break;
      case 7: (b & 1) != 0 ? local_.on_lost(a) : local_.issue(2 + a); break;
    }
    return true;
  }

  void verify() const {
    require(local_.active() <= limits::active_connection_id_limit);
    // At most the ID in use and those that were in use can end the connection.
    std::size_t watched = 0;
    for (unsigned i = 0; i < 256; ++i) {
      std::array<std::byte, 64> datagram{};
      const auto token = token_of(i);
      std::ranges::copy(token, datagram.end() - token.size());
      watched += router_.find_reset(datagram).has_value();
    }
    require(watched <= limits::active_connection_id_limit);
  }

 private:
  testkit::fake_random random_{1};
  testkit::fake_wall_clock clock_;
  token_issuer tokens_{{}, random_, clock_};
  connection_id_router router_{7};
  local_connection_ids local_{{router_, random_, tokens_, 0}};
  peer_connection_ids peer_{router_, 0};
  std::vector<sent_frame> frames_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  both_sides ids;
  for (std::size_t at = 0; at + 3 <= size && at < 600; at += 3) {
    if (!ids.operate(data[at], data[at + 1], data[at + 2])) break;
    ids.verify();
  }
  return 0;
}
