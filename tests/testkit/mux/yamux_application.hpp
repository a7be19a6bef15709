// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "strata/mux/core/yamux_session.hpp"
#include "testkit/mux/choices.hpp"

namespace strata::testkit {

/// What `side` writes on a stream, from `offset` on.
void write_content(std::uint32_t id, mux::role side, std::uint64_t offset,
                   transport::mutable_bytes out);

/// What a run wants to see of one end; the other end's is compared with it.
struct stream_record {
  std::uint64_t written = 0;  ///< Bytes that were accepted for good.
  std::uint64_t read = 0;
  bool finished = false;
  bool reset = false;       ///< Given up by this end, or timed out here.
  bool told_reset = false;  ///< By the peer.
  bool saw_end = false;
};

/// An application on a session that does everything that may be done with streams, at random, and
/// checks the promises of the session's interface while it does: bytes are exact, each event comes
/// when it may, lent memory is not touched after it was handed back (it is freed, for the address
/// sanitizer). Throws std::logic_error.
class yamux_application {
 public:
  yamux_application(mux::core::yamux_session& session, mux::role side, choices& chosen);

  bool may_open = true;
  bool reads = true;
  bool gives_up = true;  ///< Resets, stops and forgets streams that are not at their end.
  bool forgets_in_time =
      false;  ///< What is forgotten is reset soon, whatever was not sent by then.
  std::uint64_t most_per_stream = 200'000;
  std::uint64_t most_per_write = 60'000;

  void handle_events();
  /// One thing to do.
  void act();
  /// Between poll_output() and sent(): everything but revoke() may be done.
  void act_during_output();
  /// The list was sent: what was lent and handed back meanwhile is free now.
  void output_done();
  /// Ends everything in order, as far as it goes at once. True when nothing is left.
  bool wind_up();
  void close(transport::time_point now);

  bool session_closed() const { return closed_; }
  const std::map<std::uint32_t, stream_record>& records() const { return records_; }

 private:
  struct entry {
    std::uint64_t offset = 0;  ///< Bytes that were accepted or lent so far.
    std::uint64_t read = 0;
    std::unique_ptr<std::vector<std::byte>> lent;
    std::uint64_t lent_from = 0;
    bool finished = false;
    bool given_up = false;
    bool stopped = false;
    bool wants_writable = false;
    bool wants_readable = true;
    bool read_over = false;
    bool write_over = false;
  };

  std::vector<std::byte> content(std::uint32_t id, std::uint64_t offset, std::size_t size) const;
  void handle(const mux::core::event& one);
  void open();
  void accept_all();
  void act_on(std::uint32_t id, std::uint64_t what);
  void write(std::uint32_t id, entry& of);
  void lend(std::uint32_t id, entry& of);
  void revoke(std::uint32_t id, entry& of);
  void read(std::uint32_t id, entry& of);
  void peek(std::uint32_t id, entry& of);
  void check_read(std::uint32_t id, entry& of, transport::bytes piece);
  void end_read(std::uint32_t id, entry& of, std::error_code error);
  void end_write(std::uint32_t id, entry& of, std::error_code error);
  void finish(std::uint32_t id, entry& of);
  void hand_back(entry& of);
  void note_reset(std::uint32_t id);
  void forget(std::uint32_t id);
  bool wind_up(std::uint32_t id, entry& of);

  mux::core::yamux_session& session_;
  mux::role side_;
  choices& chosen_;
  std::map<std::uint32_t, entry> streams_;
  std::map<std::uint32_t, stream_record> records_;
  std::vector<std::unique_ptr<std::vector<std::byte>>> retained_;  ///< Until sent().
  bool output_under_way_ = false;
  bool closed_ = false;
};

}  // namespace strata::testkit
