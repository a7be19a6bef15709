// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <vector>

#include "core/connection/packet_payload.hpp"
#include "core/wire/frame.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The handshake bytes of one level, both ways (RFC 9000 section 19.6): no flow control, a few
/// kilobytes, gone with the keys of the level. It therefore keeps everything it sent in one piece,
/// and everything that arrived early in one buffer.
class crypto_stream {
 public:
  // Receiving.
  /// CRYPTO_BUFFER_EXCEEDED when more would have to be kept than limits::max_crypto_buffer.
  std::expected<void, protocol_failure> on(const crypto_frame& frame);
  /// What is in order and has not been taken; valid until the next on() or consume().
  transport::bytes readable() const noexcept;
  void consume(std::size_t size);

  // Sending.
  void append(transport::bytes data) { sent_.insert(sent_.end(), data.begin(), data.end()); }
  bool has_output() const noexcept { return next_ < sent_.size() || !lost_.empty(); }
  void write_frames(packet_payload& payload);
  void on_acked(const sent_frame& frame);
  void on_lost(const sent_frame& frame);
  /// Makes everything unacknowledged be sent once more, for a probe; false when there is nothing.
  bool queue_probe_data();
  bool all_acknowledged() const noexcept { return acked_below_ == sent_.size(); }
  /// Forgets both directions: the keys of the level are gone.
  void discard();

 private:
  struct range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  static void insert(std::vector<range>& ranges, range added);
  static void erase(std::vector<range>& ranges, range removed);

  std::vector<std::byte> received_;     ///< From consumed_ on; holes hold garbage.
  std::vector<range> received_ranges_;  ///< Beyond readable_end_, sorted, apart from each other.
  std::uint64_t consumed_ = 0;
  std::uint64_t readable_end_ = 0;

  std::vector<std::byte> sent_;
  std::vector<range> lost_;   ///< To be sent again, sorted, apart from each other.
  std::vector<range> acked_;  ///< Beyond acked_below_.
  std::uint64_t next_ = 0;
  std::uint64_t acked_below_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
