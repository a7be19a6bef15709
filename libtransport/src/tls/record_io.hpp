// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "strata/transport/core/bytes.hpp"
#include "tls/openssl_handles.hpp"
#include "tls/page_queue.hpp"

namespace strata::transport {
inline namespace v0 {

/// RFC 8446 section 5.1.
inline constexpr std::size_t record_header_size = 5;

/// What OpenSSL reads records from and writes them to: memory.
///
/// Records are handed over whole, so that half of one costs what has arrived of it and not a
/// buffer of OpenSSL's; and they are counted, because OpenSSL does not say which call met one.
class record_io {
 public:
  explicit record_io(page_store& store) : kept_(store), output_(store) {}

  /// For SSL_set_bio, as both its ends; the SSL must not outlive this.
  bio_handle make_bio();

  /// Bytes to read after those that are there; valid until keep().
  void lend(bytes input) noexcept { lent_ = input; }
  /// Moves what of the lent bytes was not read into pages. Throws std::bad_alloc.
  void keep();
  void drop_input() noexcept;
  std::size_t input_size() const noexcept { return kept_.size() + lent_.size(); }
  bool has_whole_record() const noexcept { return available() != 0; }
  /// Records that OpenSSL has begun to read.
  std::uint64_t records_read() const noexcept { return records_read_; }

  page_queue& output() noexcept { return output_; }
  const page_queue& output() const noexcept { return output_; }
  std::uint64_t records_written() const noexcept { return records_written_; }
  void release_memory() noexcept;

  // What OpenSSL calls.
  std::size_t read(std::span<std::byte> out) noexcept;
  bool write(bytes record) noexcept;

 private:
  std::byte at(std::size_t offset) const noexcept;
  /// What may be read now: nothing, or at least the rest of one record.
  std::size_t available() const noexcept;
  void begin_record() noexcept;

  page_queue kept_;
  bytes lent_;
  page_queue output_;
  std::size_t record_left_ = 0;  ///< Of the record that OpenSSL is reading.
  std::uint64_t records_read_ = 0;
  std::uint64_t records_written_ = 0;
};

}  // namespace v0
}  // namespace strata::transport
