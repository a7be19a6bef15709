// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "core/yamux/frame.hpp"
#include "strata/mux/core/role.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::testkit {

/// Watches what one session sends, and what it hears, and throws std::logic_error as soon as any of
/// the reference implementations would be offended: an oracle that shares nothing with the session
/// but the codec.
class yamux_wire_checker {
 public:
  explicit yamux_wire_checker(mux::role side) : side_(side) {}

  void sent(transport::bytes output);
  void heard(transport::bytes input);
  bool in_frame() const { return !output_.empty(); }

 private:
  struct stream {
    bool syn_sent = false;
    bool syn_heard = false;
    bool answered = false;  ///< ACK or RST sent to a stream of the peer.
    bool fin_sent = false;
    bool rst_sent = false;
    std::uint64_t granted = 256 * 1024;
    std::uint64_t payload = 0;
  };

  bool is_ours(std::uint32_t id) const { return (id % 2 == 1) == (side_ == mux::role::client); }
  void check_frame(const mux::core::frame_header& header);
  void check_stream_frame(const mux::core::frame_header& header);
  void note_frame(const mux::core::frame_header& header);

  mux::role side_;
  std::vector<std::byte> output_;  ///< Of a frame that is not whole yet.
  std::vector<std::byte> input_;
  std::uint64_t skip_output_ = 0;
  std::uint64_t skip_input_ = 0;
  std::map<std::uint32_t, stream> streams_;
  std::deque<std::uint32_t> pings_;
  bool go_away_sent_ = false;
  bool deaf_ = false;
};

}  // namespace strata::testkit
