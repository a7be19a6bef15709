// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "testkit/quic/quic_world.hpp"

namespace strata::testkit {

/// What a transfer is to do. Every byte of every stream follows from the stream's id and its
/// offset, so whoever reads it can check it without having seen what was written.
struct transfer_plan {
  unsigned bidirectional_streams = 1;
  unsigned unidirectional_streams = 0;
  std::uint64_t bytes_per_stream = 100'000;  ///< Each way on bidirectional ones.
  std::size_t write_size = 20'000;
  std::size_t read_size = 10'000;
  double borrowed = 0;  ///< Chance that a stream is written from the caller's memory.
  double peeked = 0.3;  ///< Chance that a read is a peek and a consume.
  bool close_when_done = true;
  bool retried = false;  ///< Addresses are to be proved first.
};

/// Sends and receives by a plan and keeps the books: in order, exact, the end once, one terminal
/// event per stream, every token exactly once.
class transfer_application final : public quic_application {
 public:
  transfer_application(const transfer_plan& plan, std::uint64_t seed)
      : plan_(plan), random_(seed) {}

  /// Client: the connection to run the plan on.
  void start(quic_node& node, quic::core::connection_handle connection);

  void on_event(quic_node& node, const quic::core::event& event) override;
  void on_turn(quic_node& node) override;

  /// All streams of the plan, both ways, are complete; at the peer, all it was sent.
  bool complete() const noexcept { return complete_; }
  bool closed() const noexcept { return closed_; }
  const std::optional<quic::close_reason>& reason() const noexcept { return reason_; }
  std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  std::uint64_t streams_finished() const noexcept { return streams_finished_; }

 private:
  struct progress {
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    std::uint64_t to_write = 0;
    bool writes = false;
    bool reads = false;
    bool borrows = false;
    bool writable = true;
    bool readable = true;
    bool write_ended = false;
    bool read_ended = false;
    bool finished_reported = false;
    bool forgotten = false;
    std::vector<std::byte> borrowed;
    bool operator_done() const { return (!writes || finished_reported) && (!reads || read_ended); }
  };

  void open_streams(quic_node& node);
  void accept_streams(quic_node& node);
  void add(std::uint64_t id, bool local, bool bidirectional);
  void serve(quic_node& node, std::uint64_t id, progress& stream);
  void write(quic::core::stream_view view, progress& stream);
  void write_borrowed(quic::core::stream_view view, progress& stream);
  void read(quic::core::stream_view view, progress& stream);
  void check(std::uint64_t id, std::uint64_t offset, bytes data) const;
  void note_token(const quic::core::event& event);

  transfer_plan plan_;
  fake_random random_;
  quic::core::connection_handle connection_;
  bool connected_ = false;
  bool is_client_ = false;
  bool ready_ = false;
  unsigned bidirectional_left_ = 0;
  unsigned unidirectional_left_ = 0;
  bool complete_ = false;
  bool closed_ = false;
  std::optional<quic::close_reason> reason_;
  std::map<std::uint64_t, progress> streams_;
  std::map<std::uint64_t, bool> tokens_;  ///< True while outstanding.
  std::uint64_t next_token_ = 1;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t streams_finished_ = 0;
};

/// The byte that stands at an offset of a stream.
std::byte pattern(std::uint64_t stream, std::uint64_t offset);

}  // namespace strata::testkit
