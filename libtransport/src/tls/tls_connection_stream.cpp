// SPDX-License-Identifier: Apache-2.0
// Reading, writing and ending, once the handshake is done.
#include <algorithm>
#include <new>

#include "strata/transport/core/error.hpp"
#include "tls/tls_connection.hpp"
#include "tls/tls_context_implementation.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Calls in a row that read nothing although there is something: more would be a loop for ever.
constexpr unsigned max_idle_calls = 4;

}  // namespace

/// Whether OpenSSL has, or can make, anything to read. It is not asked otherwise: it would take a
/// buffer first.
bool tls_connection::has_input() const {
  return io_.has_whole_record() || SSL_pending(ssl_.get()) > 0;
}

/// Finds out what is in front: a byte, the end, or nothing yet.
void tls_connection::look() {
  while (!readable_) {
    if (!has_input()) return nothing_to_read();
    char octet = 0;
    std::size_t count = 0;
    const std::uint64_t before = io_.records_read();
    forget_errors();
    const int outcome = SSL_peek_ex(ssl_.get(), &octet, 1, &count);
    if (outcome == 1) return signal_readable();
    if (!go_on_after(outcome, before)) return;
  }
}

void tls_connection::nothing_to_read() {
  if (carrier_ended_) end_reading(lost_ ? lost_ : make_error_code(errc::truncated));
}

/// After a call that read records but no byte of data: false when that was the last one.
bool tls_connection::go_on_after(int outcome, std::uint64_t records_before) {
  const int why = SSL_get_error(ssl_.get(), outcome);
  if (why == SSL_ERROR_ZERO_RETURN) {
    end_reading(errc::eof);
    // TLS 1.2 has no half of a connection (RFC 5246 section 7.2.1).
    if (!is_tls13() && !close_sent_) {
      say_end();
      write_end_ = errc::closed_by_peer;
      signal_writable();
    }
    return false;
  }
  const std::uint64_t records = io_.records_read() - records_before;
  // Between two records it may have something to write first.
  idle_calls_ = records == 0 ? idle_calls_ + 1 : 0;
  if (why != SSL_ERROR_WANT_READ || idle_calls_ > max_idle_calls) {
    fail_as_openssl_says();
    return false;
  }
  if (!is_control_flood(records)) return true;
  fail({.code = errc::protocol_error, .text = "too many TLS records without data"});
  return false;
}

/// Key updates and the like cost this side more than the peer.
bool tls_connection::is_control_flood(std::uint64_t records) {
  if (now_ - control_window_ >= limits::tls_control_window) {
    control_window_ = now_;
    control_records_ = 0;
  }
  control_records_ += static_cast<unsigned>(records);
  return control_records_ > limits::tls_control_records;
}

void tls_connection::end_reading(std::error_code why) {
  read_end_ = why;
  io_.drop_input();
  signal_readable();
}

result<std::size_t> tls_connection::read(mutable_bytes out) {
  if (out.empty()) return 0;
  std::size_t total = 0;
  while (!read_end_ && ready_ && total < out.size()) {
    if (!has_input()) {
      nothing_to_read();
      break;
    }
    std::size_t count = 0;
    const std::uint64_t before = io_.records_read();
    forget_errors();
    const int outcome = SSL_read_ex(ssl_.get(), out.data() + total, out.size() - total, &count);
    if (outcome == 1) {
      total += count;
      control_records_ = 0;
      continue;
    }
    if (!go_on_after(outcome, before)) break;
  }
  readable_ = read_end_ || (ready_ && SSL_pending(ssl_.get()) > 0);
  // Who got all that was asked for asks again, or readable().
  if (total == out.size() && !readable_ && io_.has_whole_record()) look();
  if (total < out.size() || !readable_) wants_readable_ = true;
  if (total != 0 && readable_) signal_readable();
  if (total != 0) return total;
  return std::unexpected(read_end_ ? read_end_ : make_error_code(errc::would_block));
}

result<std::size_t> tls_connection::write(std::span<const bytes> pieces) {
  if (write_end_) return std::unexpected(write_end_);
  std::size_t total = 0;
  for (const bytes each : pieces) total += each.size();
  if (total == 0) return 0;
  const std::size_t waiting = io_.output().size();
  const std::size_t room =
      waiting < options_.write_watermark ? options_.write_watermark - waiting : 0;
  if (!ready_ || room == 0) {
    wants_writable_ = true;
    return std::unexpected(make_error_code(errc::would_block));
  }
  renew_key();
  const std::size_t done = seal_all(pieces, std::min(total, room));
  touch(done);
  if (done < total) wants_writable_ = true;
  if (done == 0) return std::unexpected(write_end_);
  return done;
}

/// Seals the first `most` bytes of all pieces; how many until something failed. Full records are
/// made of the pieces where they lie; what is shorter is gathered, because a record for each of a
/// header and its body costs twice and tells their sizes.
std::size_t tls_connection::seal_all(std::span<const bytes> pieces, std::size_t most) {
  const std::size_t record = implementation_of(ssl_.get()).record_size;
  std::unique_ptr<page_store::page> gathered;
  std::size_t filled = 0;
  std::size_t done = 0;
  for (bytes each : pieces) {
    each = each.first(std::min(each.size(), most - done - filled));
    while (!each.empty()) {
      const bool last = done + filled + each.size() == most;
      const bool fills = filled == 0 && (last || each.size() >= record);
      if (!fills && !gathered) gathered = take_page();
      if (fills || !gathered) {
        const bool rounded = !last && each.size() >= record;
        const std::size_t now = rounded ? each.size() - each.size() % record : each.size();
        if (!seal(each.first(now))) return done;
        done += now;
        each = each.subspan(now);
        continue;
      }
      const bytes part = each.first(std::min(each.size(), record - filled));
      copy_bytes(gathered->data() + filled, part);
      filled += part.size();
      each = each.subspan(part.size());
      if (filled < record && done + filled < most) continue;
      if (!seal(bytes(*gathered).first(filled))) return done;
      done += filled;
      filled = 0;
    }
  }
  pages_.give_back(std::move(gathered));
  return done;
}

/// Nothing when there is no memory: then each piece is a record.
std::unique_ptr<page_store::page> tls_connection::take_page() {
  try {
    return pages_.take();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

bool tls_connection::seal(bytes plaintext) {
  std::size_t written = 0;
  forget_errors();
  if (SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &written) == 1) return true;
  fail_as_openssl_says();
  return false;
}

/// An AEAD key is good for so many records (RFC 8446 section 5.5).
void tls_connection::renew_key() {
  if (io_.records_written() - records_at_key_ < options_.records_per_key || !is_tls13()) return;
  records_at_key_ = io_.records_written();
  SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
}

result<void> tls_connection::update_keys(bool both) {
  if (write_end_) return std::unexpected(write_end_);
  if (!ready_) return std::unexpected(make_error_code(errc::would_block));
  if (!is_tls13()) return std::unexpected(make_error_code(errc::not_supported));
  forget_errors();
  const int kind = both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
  if (SSL_key_update(ssl_.get(), kind) != 1 || SSL_do_handshake(ssl_.get()) != 1) {
    fail_as_openssl_says();
    return std::unexpected(write_end_);
  }
  records_at_key_ = io_.records_written();
  touch();
  return {};
}

result<void> tls_connection::finish() {
  if (close_sent_ && write_end_ == errc::write_finished) return {};
  if (write_end_) return std::unexpected(write_end_);
  if (!ready_) return std::unexpected(make_error_code(errc::would_block));
  say_end();
  write_end_ = errc::write_finished;
  return {};
}

void tls_connection::say_end() {
  forget_errors();
  SSL_shutdown(ssl_.get());
  forget_errors();
  close_sent_ = true;
  touch();
}

}  // namespace v0
}  // namespace strata::transport
