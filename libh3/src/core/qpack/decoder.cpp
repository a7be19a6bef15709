// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/decoder.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/qpack/huffman.hpp"
#include "core/qpack/static_table.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {
namespace {

/// The longest encoding of a text of `size` bytes: no Huffman code has more than 30 bits.
constexpr std::size_t max_encoded_size(std::size_t size) noexcept { return size * 30 / 8 + 1; }

}  // namespace

bool decoder::receive(bytes input) {
  if (!pending_.empty() && !receive_pending(input)) return false;
  input_cursor cursor(input);
  while (!cursor.empty()) {
    switch (run_instruction(cursor)) {
      case parse_status::whole: break;
      case parse_status::invalid: return false;
      case parse_status::truncated:
        pending_.assign(cursor.at, cursor.end);
        return pending_.size() <= max_instruction_size();
    }
  }
  return true;
}

/// Completes the instruction that an earlier call began. It grows by what arrived, never by a
/// length the peer declared.
bool decoder::receive_pending(bytes& input) {
  const std::size_t before = pending_.size();
  const std::size_t room = max_instruction_size() - std::min(before, max_instruction_size());
  const bytes more = input.first(std::min(input.size(), room));
  pending_.insert(pending_.end(), more.begin(), more.end());
  input_cursor cursor{bytes(pending_)};
  switch (run_instruction(cursor)) {
    case parse_status::invalid: return false;
    case parse_status::truncated: input = {}; return pending_.size() < max_instruction_size();
    case parse_status::whole: break;
  }
  input = input.subspan(pending_.size() - cursor.remaining() - before);
  pending_.clear();
  return true;
}

std::size_t decoder::max_instruction_size() const noexcept {
  return 2 * max_encoded_size(static_cast<std::size_t>(config_.max_table_capacity)) +
         2 * max_prefix_integer_size;
}

parse_status decoder::run_instruction(input_cursor& cursor) {
  const auto first = std::to_integer<unsigned>(*cursor.at);
  if (first & 0x80) return run_insert_with_name_reference(cursor);
  if (first & 0x40) return run_insert_with_literal_name(cursor);
  if (first & 0x20) return run_set_capacity(cursor);
  return run_duplicate(cursor);
}

parse_status decoder::run_set_capacity(input_cursor& cursor) {
  std::uint64_t capacity = 0;
  if (const parse_status status = read_prefix_integer(cursor, 5, capacity);
      status != parse_status::whole)
    return status;
  //= RFC 9204 section 4.3.1
  //# The decoder MUST treat a new dynamic table capacity value that
  //# exceeds this limit as a connection error of type QPACK_ENCODER_STREAM_ERROR.
  if (capacity > config_.max_table_capacity) return parse_status::invalid;
  table_.set_capacity(static_cast<std::size_t>(capacity));
  return parse_status::whole;
}

/// A literal that goes into the table: too large for it is known from the length alone.
parse_status decoder::read_table_literal(input_cursor& cursor, unsigned length_bits,
                                         string_literal& literal) const noexcept {
  return read_string_literal(cursor, length_bits, max_encoded_size(table_.capacity()), literal);
}

bool decoder::unpack(const string_literal& literal, std::vector<char>& memory,
                     std::string_view& text) {
  if (!literal.huffman) {
    text = transport::as_text(literal.encoded);
    return true;
  }
  const std::size_t bound = huffman_decoded_bound(literal.encoded.size());
  if (memory.size() < bound) memory.resize(bound);
  const auto size = huffman_decode(literal.encoded, memory.data());
  if (!size) return false;
  text = {memory.data(), *size};
  return true;
}

parse_status decoder::run_insert_with_name_reference(input_cursor& cursor) {
  input_cursor rest = cursor;
  const bool is_static = (std::to_integer<unsigned>(*rest.at) & 0x40) != 0;
  std::uint64_t index = 0;
  string_literal literal;
  if (const parse_status status = read_prefix_integer(rest, 6, index);
      status != parse_status::whole)
    return status;
  name_source source{};
  if (is_static) {
    const static_entry* entry = static_entry_at(index);
    //= RFC 9204 section 3.1
    //# If this index is received on the encoder stream,
    //# this MUST be treated as a connection error of type QPACK_ENCODER_STREAM_ERROR.
    if (entry == nullptr) return parse_status::invalid;
    source = {entry->name, entry->id};
  } else {
    //= RFC 9204 section 2.2.3
    //# If the decoder encounters a reference in an encoder instruction to a dynamic
    //# table entry that has already been evicted, it MUST treat this as a connection
    //# error of type QPACK_ENCODER_STREAM_ERROR.
    if (index >= table_.insert_count()) return parse_status::invalid;
    const auto entry = table_.at(table_.insert_count() - 1 - index);
    if (!entry) return parse_status::invalid;
    source = {entry->name, entry->id};
  }
  if (const parse_status status = read_table_literal(rest, 7, literal);
      status != parse_status::whole)
    return status;
  std::string_view value;
  if (!unpack(literal, value_memory_, value)) return parse_status::invalid;
  //= RFC 9204 section 3.2.2
  //# It is an
  //# error if the encoder attempts to add an entry that is larger than the dynamic
  //# table capacity; the decoder MUST treat this as a connection error of type
  //# QPACK_ENCODER_STREAM_ERROR.
  if (!table_.insert(source.name, value, source.id)) return parse_status::invalid;
  cursor = rest;
  return parse_status::whole;
}

parse_status decoder::run_insert_with_literal_name(input_cursor& cursor) {
  input_cursor rest = cursor;
  string_literal name_literal;
  string_literal value_literal;
  if (const parse_status status = read_table_literal(rest, 5, name_literal);
      status != parse_status::whole)
    return status;
  if (const parse_status status = read_table_literal(rest, 7, value_literal);
      status != parse_status::whole)
    return status;
  std::string_view name;
  std::string_view value;
  if (!unpack(name_literal, name_memory_, name) || !unpack(value_literal, value_memory_, value))
    return parse_status::invalid;
  if (!table_.insert(name, value, find_known_field(name))) return parse_status::invalid;
  cursor = rest;
  return parse_status::whole;
}

//= RFC 9204 section 3.2
//# duplicate entries MUST NOT be treated as an error by the decoder
parse_status decoder::run_duplicate(input_cursor& cursor) {
  std::uint64_t index = 0;
  if (const parse_status status = read_prefix_integer(cursor, 5, index);
      status != parse_status::whole)
    return status;
  if (index >= table_.insert_count()) return parse_status::invalid;
  const auto entry = table_.at(table_.insert_count() - 1 - index);
  if (!entry || !table_.insert(entry->name, entry->value, entry->id)) return parse_status::invalid;
  return parse_status::whole;
}

decode_outcome decoder::decode(std::uint64_t stream_id, bytes encoded, field_section& section) {
  section.clear();
  input_cursor cursor(encoded);
  section_prefix prefix;
  if (!read_prefix(cursor, find_blocked(stream_id), prefix)) return decode_outcome::failed;
  if (prefix.required_insert_count > table_.insert_count())
    return block(stream_id, prefix.required_insert_count) ? decode_outcome::blocked
                                                          : decode_outcome::failed;
  if (!blocked_.empty()) unblock(stream_id);

  const decode_outcome outcome = decode_lines(cursor, prefix, section);
  //= RFC 9204 section 2.2.2.1
  //# After the decoder finishes decoding a field section encoded using
  //# representations containing dynamic table references, it MUST emit a Section
  //# Acknowledgment instruction
  if (outcome == decode_outcome::decoded && prefix.required_insert_count != 0) {
    emit(0x80, 7, stream_id);
    known_received_count_ = std::max(known_received_count_, prefix.required_insert_count);
  }
  return outcome;
}

/// `waiting`: the section was blocked. Then the count is the one found when it came: what its
/// encoding means depends on the insertions so far, so that rebuilding it now might give a later,
/// wrong one.
bool decoder::read_prefix(input_cursor& cursor, const blocked_stream* waiting,
                          section_prefix& prefix) const noexcept {
  std::uint64_t encoded_count = 0;
  if (read_prefix_integer(cursor, 8, encoded_count) != parse_status::whole || cursor.empty())
    return false;
  const bool negative = (std::to_integer<unsigned>(*cursor.at) & 0x80) != 0;
  std::uint64_t delta = 0;
  if (read_prefix_integer(cursor, 7, delta) != parse_status::whole) return false;
  std::uint64_t required = 0;
  if (waiting != nullptr) {
    required = waiting->required_insert_count;
  } else if (!rebuild_insert_count(encoded_count, required)) {
    return false;
  }
  //= RFC 9204 section 4.5.1.2
  //# An endpoint MUST treat a field block with a Sign bit of 1 as
  //# invalid if the value of Required Insert Count is less than or equal to the value
  //# of Delta Base.
  //= RFC 9204 section 4.5.1.2
  //# The value of Base MUST NOT be negative.
  if (negative && required <= delta) return false;
  prefix = {.required_insert_count = required,
            .base = negative ? required - delta - 1 : required + delta};
  return true;
}

//= RFC 9204 section 4.5.1.1
//# If the decoder encounters a value of EncodedInsertCount that
//# could not have been produced by a conformant encoder, it MUST treat this as a
//# connection error of type QPACK_DECOMPRESSION_FAILED.
bool decoder::rebuild_insert_count(std::uint64_t encoded, std::uint64_t& required) const noexcept {
  required = 0;
  if (encoded == 0) return true;
  const std::uint64_t max_entries = config_.max_table_capacity / dynamic_table::entry_overhead;
  const std::uint64_t full_range = 2 * max_entries;
  if (encoded > full_range) return false;
  const std::uint64_t max_value = table_.insert_count() + max_entries;
  required = max_value / full_range * full_range + encoded - 1;
  if (required > max_value) {
    if (required <= full_range) return false;
    required -= full_range;
  }
  return required != 0;
}

//= RFC 9204 section 2.2
//# The decoder MUST emit field lines in the order their representations appear in the encoded
//# field section.
decode_outcome decoder::decode_lines(input_cursor cursor, const section_prefix& prefix,
                                     field_section& section) const {
  while (!cursor.empty()) {
    // The size counts 32 bytes per line and is checked with each: one short reference may stand for
    // a whole table entry, so a section of a few KiB could otherwise expand to megabytes.
    if (section.size() >= config_.max_field_count) return decode_outcome::too_large;
    if (const decode_outcome outcome = decode_line(cursor, prefix, section);
        outcome != decode_outcome::decoded)
      return outcome;
    if (section.field_section_size() > config_.max_section_size) return decode_outcome::too_large;
  }
  return decode_outcome::decoded;
}

decode_outcome decoder::decode_line(input_cursor& cursor, const section_prefix& prefix,
                                    field_section& section) const {
  const auto first = std::to_integer<unsigned>(*cursor.at);
  if (first & 0x80) return add_indexed(cursor, prefix, section);
  if ((first & 0xe0) == 0x20) return add_literal(cursor, section);
  if (first & 0x40) return add_named(cursor, prefix, section);
  return first & 0x10 ? add_indexed(cursor, prefix, section) : add_named(cursor, prefix, section);
}

/// Whether an entry of the static table, or relative to the base, exists and may be used by this
/// section.
bool decoder::find_entry(bool is_static, std::uint64_t index, const section_prefix& prefix,
                         dynamic_table::entry& found) const noexcept {
  if (is_static) {
    //= RFC 9204 section 3.1
    //# When the decoder encounters an invalid static table index in a field line
    //# representation, it MUST treat this as a connection error of type
    //# QPACK_DECOMPRESSION_FAILED.
    const static_entry* entry = static_entry_at(index);
    if (entry == nullptr) return false;
    found = {entry->name, entry->value, entry->id};
    return true;
  }
  if (index >= prefix.base) return false;
  return find_post_base(0, {prefix.required_insert_count, prefix.base - index - 1}, found);
}

bool decoder::find_post_base(std::uint64_t index, const section_prefix& prefix,
                             dynamic_table::entry& found) const noexcept {
  //= RFC 9204 section 2.2.3
  //# If the decoder encounters a reference in a field line representation to a
  //# dynamic table entry that has already been evicted or that has an absolute
  //# index greater than or equal to the declared Required Insert Count
  //# (Section 4.5.1), it MUST treat this as a connection error of type
  //# QPACK_DECOMPRESSION_FAILED.
  const std::uint64_t absolute =
      prefix.base + index;  // both at most 2^62 and a little: no overflow
  //= RFC 9204 section 2.2.1
  //# If it encounters a Required Insert Count smaller than expected, it MUST treat this as a
  //# connection error of type QPACK_DECOMPRESSION_FAILED.
  if (absolute >= prefix.required_insert_count) return false;
  const auto entry = table_.at(absolute);
  if (!entry) return false;
  found = *entry;
  return true;
}

decode_outcome decoder::add_indexed(input_cursor& cursor, const section_prefix& prefix,
                                    field_section& section) const {
  const auto first = std::to_integer<unsigned>(*cursor.at);
  const bool post_base = (first & 0x80) == 0;
  std::uint64_t index = 0;
  if (read_prefix_integer(cursor, post_base ? 4 : 6, index) != parse_status::whole)
    return decode_outcome::failed;
  dynamic_table::entry entry{};
  const bool found = post_base ? find_post_base(index, prefix, entry)
                               : find_entry((first & 0x40) != 0, index, prefix, entry);
  if (!found) return decode_outcome::failed;
  const std::size_t size = entry.name.size() + entry.value.size();
  char* out = section.free_text(size);
  if (!entry.name.empty()) std::memcpy(out, entry.name.data(), entry.name.size());
  if (!entry.value.empty())
    std::memcpy(out + entry.name.size(), entry.value.data(), entry.value.size());
  section.keep_text(size);
  section.keep_line(entry.name.size(), entry.value.size(),
                    {.id = entry.id, .never_indexed = false});
  return decode_outcome::decoded;
}

namespace {

/// Appends the text of a literal; its size, or nothing when its Huffman code is broken.
std::optional<std::size_t> keep_literal(const string_literal& literal, field_section& section) {
  std::size_t size = literal.encoded.size();
  if (literal.huffman) {
    const auto decoded =
        huffman_decode(literal.encoded, section.free_text(huffman_decoded_bound(size)));
    if (!decoded) return std::nullopt;
    size = *decoded;
  } else {
    char* out = section.free_text(size);
    if (size != 0) std::memcpy(out, literal.encoded.data(), size);
  }
  section.keep_text(size);
  return size;
}

}  // namespace

decode_outcome decoder::add_named(input_cursor& cursor, const section_prefix& prefix,
                                  field_section& section) const {
  const auto first = std::to_integer<unsigned>(*cursor.at);
  const bool post_base = (first & 0x40) == 0;
  const bool never_indexed = (first & (post_base ? 0x08 : 0x20)) != 0;
  std::uint64_t index = 0;
  string_literal value;
  if (read_prefix_integer(cursor, post_base ? 3 : 4, index) != parse_status::whole)
    return decode_outcome::failed;
  dynamic_table::entry entry{};
  const bool found = post_base ? find_post_base(index, prefix, entry)
                               : find_entry((first & 0x10) != 0, index, prefix, entry);
  if (!found || read_string_literal(cursor, 7, cursor.remaining(), value) != parse_status::whole)
    return decode_outcome::failed;
  char* out = section.free_text(entry.name.size());
  if (!entry.name.empty()) std::memcpy(out, entry.name.data(), entry.name.size());
  section.keep_text(entry.name.size());
  const auto value_size = keep_literal(value, section);
  if (!value_size) return decode_outcome::failed;
  section.keep_line(entry.name.size(), *value_size,
                    {.id = entry.id, .never_indexed = never_indexed});
  return decode_outcome::decoded;
}

decode_outcome decoder::add_literal(input_cursor& cursor, field_section& section) const {
  const bool never_indexed = (std::to_integer<unsigned>(*cursor.at) & 0x10) != 0;
  string_literal name;
  string_literal value;
  if (read_string_literal(cursor, 3, cursor.remaining(), name) != parse_status::whole ||
      read_string_literal(cursor, 7, cursor.remaining(), value) != parse_status::whole)
    return decode_outcome::failed;
  const auto name_size = keep_literal(name, section);
  if (!name_size) return decode_outcome::failed;
  const char* const text = section.free_text(0) - *name_size;
  const known_field id = find_known_field({text, *name_size});
  const auto value_size = keep_literal(value, section);
  if (!value_size) return decode_outcome::failed;
  section.keep_line(*name_size, *value_size, {.id = id, .never_indexed = never_indexed});
  return decode_outcome::decoded;
}

const decoder::blocked_stream* decoder::find_blocked(std::uint64_t stream_id) const noexcept {
  for (const blocked_stream& stream : blocked_)
    if (stream.stream_id == stream_id) return &stream;
  return nullptr;
}

bool decoder::block(std::uint64_t stream_id, std::uint64_t required_insert_count) {
  if (find_blocked(stream_id) != nullptr) return true;
  //= RFC 9204 section 2.1.2
  //# If a decoder encounters
  //# more blocked streams than it promised to support, it MUST treat this as a
  //# connection error of type QPACK_DECOMPRESSION_FAILED.
  if (blocked_.size() >= config_.max_blocked_streams) return false;
  blocked_.push_back({stream_id, required_insert_count});
  return true;
}

void decoder::unblock(std::uint64_t stream_id) noexcept {
  std::erase_if(blocked_,
                [&](const blocked_stream& stream) { return stream.stream_id == stream_id; });
}

bool decoder::poll_unblocked(std::uint64_t& stream_id) const noexcept {
  for (const blocked_stream& stream : blocked_) {
    if (stream.required_insert_count > table_.insert_count()) continue;
    stream_id = stream.stream_id;
    return true;
  }
  return false;
}

void decoder::cancel(std::uint64_t stream_id) {
  unblock(stream_id);
  //= RFC 9204 section 2.2.2.2
  //# A decoder with a
  //# maximum dynamic table capacity (Section 3.2.3) equal to
  //# zero MAY omit sending Stream Cancellations, because the encoder cannot have any
  //# dynamic table references.
  if (config_.max_table_capacity != 0) emit(0x40, 6, stream_id);
}

void decoder::emit(std::uint8_t first, unsigned prefix_bits, std::uint64_t value) {
  std::array<std::byte, max_prefix_integer_size> instruction;
  std::byte* const end = write_prefix_integer(instruction.data(), first, prefix_bits, value);
  output_.insert(output_.end(), instruction.data(), end);
}

bytes decoder::output() {
  if (table_.insert_count() > known_received_count_) {
    emit(0x00, 6, table_.insert_count() - known_received_count_);
    known_received_count_ = table_.insert_count();
  }
  return bytes(output_).subspan(output_sent_);
}

void decoder::sent(std::size_t size) noexcept {
  output_sent_ += size;
  if (output_sent_ < output_.size() && output_sent_ < limits::max_decoder_stream_backlog) return;
  output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(output_sent_));
  output_sent_ = 0;
}

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
