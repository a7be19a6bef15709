// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/connection_security.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/core/tls_failure.hpp"
#include "strata/transport/tls.hpp"
#include "tls/openssl_handles.hpp"
#include "tls/record_io.hpp"

namespace strata::transport {
inline namespace v0 {

struct tls_connection_options {
  /// A client's: whom to ask for and to verify, a DNS name or an IP literal.
  std::string server_name;
  duration handshake_timeout = limits::tls_handshake_timeout;
  std::size_t write_watermark = limits::tls_write_watermark;
  std::size_t input_limit = limits::tls_input_limit;  ///< At least tls_min_input_limit.
  std::uint64_t records_per_key = limits::tls_records_per_key;
};

/// One side of TLS 1.3 or 1.2 over an ordered carrier of bytes, without a socket, a clock or a
/// timer.
///
/// Ciphertext is lent by receive() and decrypted by read() straight into the caller's buffer; what
/// nobody read by release_input() is kept as it came. write() encrypts into pages, records of full
/// size one behind the other, that poll_output() gives out as one gathered write.
///
/// Errors stay: each direction ends in exactly one, which every later call returns.
class tls_connection {
 public:
  enum class event : std::uint8_t {
    ready,     ///< The handshake is done; security() says what came of it. Once.
    readable,  ///< After read() gave less than it was asked for: more, the end or an error is
               ///< there.
    writable,  ///< After write() took less than it was given: there is room, or an error.
    failed,    ///< failure() says why. Once, and nothing follows.
  };

  /// `context` says the role. The store serves all connections of one executor and outlives them.
  tls_connection(const tls_context& context, tls_connection_options options, page_store& pages);
  tls_connection(const tls_connection&) = delete;
  tls_connection& operator=(const tls_connection&) = delete;
  ~tls_connection();

  /// Starts the handshake and its deadline; a client has its ClientHello ready afterwards. Once,
  /// before anything else. errc::invalid_argument: no name, or one that cannot be asked for.
  result<void> begin(time_point now);

  void receive(time_point now, bytes input);
  void release_input();
  /// The carrier ended in order. Without a close_notify before it, reading ends in errc::truncated.
  void receive_end(time_point now);
  void carrier_lost(std::error_code why);
  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  bool poll_event(event& out);
  /// Fills `pieces` with what is to be sent, in order, and says how many. They are valid until the
  /// next call of anything but sent() and next_timeout().
  std::size_t poll_output(time_point now, std::span<bytes> pieces);
  void sent(std::size_t count);
  bool wants_input() const;
  /// Nothing will be sent any more: the carrier's own direction may end too.
  bool output_ended() const;
  /// Both directions are over, or the connection failed, and everything was sent.
  bool finished() const;

  /// At least one byte, or errc::would_block, errc::eof after the peer's close_notify, or the error
  /// that ended this direction.
  result<std::size_t> read(mutable_bytes out);
  /// True when read() would not say would_block.
  bool readable() const { return readable_; }
  /// Takes up to the watermark; errc::would_block when nothing. Short pieces share a record.
  result<std::size_t> write(std::span<const bytes> pieces);
  /// Ends this direction: close_notify after everything that was written. Reading goes on.
  /// errc::would_block before the handshake is done.
  result<void> finish();
  /// Gives up both directions: nothing more is sent, and finished() holds.
  void reset();
  /// Changes the key that this side seals with; with `both` it asks the peer to do the same. TLS
  /// 1.3 only (errc::not_supported).
  result<void> update_keys(bool both);

  bool is_client() const { return !context_.is_server(); }
  bool is_ready() const { return ready_; }
  /// False with TLS 1.2, where the peer's end is also ours.
  bool half_close() const;
  /// Once ready.
  connection_security security() const;
  /// The handshake message that a client begins with, before anything was sent.
  std::vector<std::byte> first_message() const;
  const tls_failure* failure() const { return failure_ ? &*failure_ : nullptr; }

 private:
  static void on_state(const SSL* ssl, int where, int value);
  result<void> prepare();
  void drive();
  void shake_hands();
  void split_hello();
  bool has_input() const;
  void look();
  void nothing_to_read();
  bool go_on_after(int outcome, std::uint64_t records_before);
  bool is_control_flood(std::uint64_t records);
  void end_reading(std::error_code why);
  void say_end();
  bool seal(bytes plaintext);
  std::unique_ptr<page_store::page> take_page();
  std::size_t seal_all(std::span<const bytes> pieces, std::size_t most);
  void renew_key();
  void touch(std::size_t moved = 0);
  void fail(tls_failure failure);
  void fail_as_openssl_says();
  void signal(event what) { events_ |= 1u << static_cast<unsigned>(what); }
  void signal_readable();
  void signal_writable();
  bool is_tls13() const;
  bool is_over() const { return failure_ || reset_ || lost_; }
  void release_memory();

  tls_context context_;
  tls_connection_options options_;
  page_store& pages_;
  record_io io_;
  ssl_handle ssl_;  // After what it reads from and writes to.

  std::optional<tls_failure> failure_;
  std::error_code read_end_;   ///< What reading ended with.
  std::error_code write_end_;  ///< What writing ended with.
  std::error_code lost_;       ///< What the carrier ended with, when not in order.
  std::optional<std::uint8_t> alert_sent_;
  std::optional<std::uint8_t> alert_received_;

  time_point now_{};
  time_point handshake_deadline_{};
  time_point quiet_at_{};
  std::size_t moved_ = 0;  ///< Bytes, either way, since memory was released.
  time_point control_window_{};
  unsigned control_records_ = 0;
  unsigned idle_calls_ = 0;
  std::uint64_t records_at_key_ = 0;
  unsigned events_ = 0;

  bool ready_ = false;
  bool readable_ = false;
  bool wants_readable_ = true;   ///< The edge is armed.
  bool wants_writable_ = false;  ///< The edge is armed.
  bool carrier_ended_ = false;
  bool close_sent_ = false;
  bool reset_ = false;
  bool holds_memory_ = false;
};

}  // namespace v0
}  // namespace strata::transport
