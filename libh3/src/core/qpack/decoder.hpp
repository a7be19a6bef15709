// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/qpack/dynamic_table.hpp"
#include "core/qpack/prefix_integer.hpp"
#include "strata/h3/core/field_section.hpp"
#include "strata/h3/core/limits.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {

using transport::bytes;

struct decoder_config {
  std::uint64_t max_table_capacity =
      limits::qpack_table_capacity;  ///< As our SETTINGS say; at most max_qpack_table_capacity.
  std::uint64_t max_blocked_streams = limits::qpack_blocked_streams;
  std::size_t max_section_size = limits::max_field_section_size;
  std::size_t max_field_count = limits::max_field_count;
};

enum class decode_outcome : std::uint8_t {
  decoded,
  blocked,  ///< Needs insertions that have not arrived: decode it again when poll_unblocked() names
            ///< its stream.
  too_large,  ///< Beyond the size or count this side accepts: an error of the stream only; the
              ///< caller cancels it.
  failed,     ///< QPACK_DECOMPRESSION_FAILED, an error of the connection.
};

/// The receiving half of QPACK (RFC 9204): field sections and the peer's encoder stream in, field
/// lines and our decoder stream out. It allocates when the table's capacity is first set and while
/// buffers reach their size, not per field.
class decoder {
 public:
  explicit decoder(const decoder_config& config) : config_(config) {}

  /// Bytes of the peer's encoder stream, in order and in any pieces; all are taken. False:
  /// QPACK_ENCODER_STREAM_ERROR.
  [[nodiscard]] bool receive(bytes input);

  /// Decodes a whole encoded field section of a stream into `section`, replacing what it held;
  /// after any other outcome than `decoded` its content means nothing. A stream has at most one
  /// blocked section at a time.
  [[nodiscard]] decode_outcome decode(std::uint64_t stream_id, bytes encoded,
                                      field_section& section);

  /// A stream whose blocked section can be decoded now; each is named until it is decoded or
  /// cancelled.
  bool poll_unblocked(std::uint64_t& stream_id) const noexcept;
  std::size_t blocked_streams() const noexcept { return blocked_.size(); }

  /// The stream is not read to its end: it is not blocked any more, and the encoder may forget its
  /// references.
  void cancel(std::uint64_t stream_id);

  /// What is to be sent on our decoder stream; sent() takes the first bytes off. Insert Count
  /// Increments are added here, one for all insertions since the last call.
  bytes output();
  void sent(std::size_t size) noexcept;

  std::uint64_t insert_count() const noexcept { return table_.insert_count(); }
  const dynamic_table& table() const noexcept { return table_; }

 private:
  struct section_prefix {
    std::uint64_t required_insert_count = 0;
    std::uint64_t base = 0;
  };
  struct blocked_stream {
    std::uint64_t stream_id;
    std::uint64_t required_insert_count;
  };
  struct name_source {
    std::string_view name;
    known_field id;
  };

  parse_status run_instruction(input_cursor& cursor);
  parse_status run_set_capacity(input_cursor& cursor);
  parse_status run_insert_with_name_reference(input_cursor& cursor);
  parse_status run_insert_with_literal_name(input_cursor& cursor);
  parse_status run_duplicate(input_cursor& cursor);
  parse_status read_table_literal(input_cursor& cursor, unsigned length_bits,
                                  string_literal& literal) const noexcept;
  bool unpack(const string_literal& literal, std::vector<char>& memory, std::string_view& text);
  std::size_t max_instruction_size() const noexcept;
  bool receive_pending(bytes& input);

  bool read_prefix(input_cursor& cursor, section_prefix& prefix) const noexcept;
  bool block(std::uint64_t stream_id, std::uint64_t required_insert_count);
  void unblock(std::uint64_t stream_id) noexcept;
  decode_outcome decode_lines(input_cursor cursor, const section_prefix& prefix,
                              field_section& section) const;
  decode_outcome decode_line(input_cursor& cursor, const section_prefix& prefix,
                             field_section& section) const;
  decode_outcome add_indexed(input_cursor& cursor, const section_prefix& prefix,
                             field_section& section) const;
  decode_outcome add_named(input_cursor& cursor, const section_prefix& prefix,
                           field_section& section) const;
  decode_outcome add_literal(input_cursor& cursor, field_section& section) const;
  bool find_entry(bool is_static, std::uint64_t index, const section_prefix& prefix,
                  dynamic_table::entry& found) const noexcept;
  bool find_post_base(std::uint64_t index, const section_prefix& prefix,
                      dynamic_table::entry& found) const noexcept;
  void emit(std::uint8_t first, unsigned prefix_bits, std::uint64_t value);

  decoder_config config_;
  dynamic_table table_;
  std::vector<std::byte> pending_;  // the beginning of an instruction whose rest has not come
  std::vector<char> name_memory_;   // strings of an instruction, taken out of their Huffman code
  std::vector<char> value_memory_;
  std::vector<blocked_stream> blocked_;
  std::vector<std::byte> output_;
  std::size_t output_sent_ = 0;
  std::uint64_t known_received_count_ = 0;
};

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
