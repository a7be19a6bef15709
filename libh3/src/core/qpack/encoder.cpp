// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/encoder.hpp"

#include <algorithm>
#include <cstring>

#include "core/qpack/huffman.hpp"
#include "core/qpack/prefix_integer.hpp"
#include "core/qpack/static_table.hpp"
#include "strata/h3/core/limits.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {
namespace {

/// Bytes one line takes at most: two integers, and texts that are never longer encoded than plain.
constexpr std::size_t max_line_size(const field_line& line) noexcept {
  return 2 * max_prefix_integer_size + line.name.size() + line.value.size();
}

std::byte* write_string(std::byte* out, std::string_view text, std::uint8_t first,
                        unsigned length_bits) noexcept {
  const std::size_t packed = huffman_encoded_size(text);
  if (packed < text.size()) {
    out = write_prefix_integer(out, static_cast<std::uint8_t>(first | 1u << length_bits),
                               length_bits, packed);
    return huffman_encode(text, out);
  }
  out = write_prefix_integer(out, first, length_bits, text.size());
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

std::byte* write_line(std::byte* out, const field_line& line) noexcept {
  const known_field id = line.id != known_field::unknown ? line.id : find_known_field(line.name);
  const bool never_indexed = is_never_indexed({line.name, line.value, id, line.never_indexed});
  const static_match match = find_static(id, line.value);
  //= RFC 9204 section 4.5.4
  //# When the 'N' bit is set, the encoded field
  //# line MUST always be encoded with a literal representation.
  if (match.kind == static_match::whole && !never_indexed)
    return write_prefix_integer(out, 0xc0, 6, match.index);
  if (match.kind != static_match::none) {
    out = write_prefix_integer(out, never_indexed ? 0x70 : 0x50, 4, match.index);
    return write_string(out, line.value, 0, 7);
  }
  out = write_string(out, line.name, never_indexed ? 0x30 : 0x20, 3);
  return write_string(out, line.value, 0, 7);
}

}  // namespace

bool is_never_indexed(const field_line& line) noexcept {
  switch (line.id) {
    case known_field::authorization:
    case known_field::proxy_authorization:
    case known_field::set_cookie: return true;
    case known_field::cookie:
      return line.never_indexed || line.value.size() < limits::never_indexed_cookie_size;
    default: return line.never_indexed;
  }
}

void encoder::encode(std::uint64_t, std::span<const field_line> lines,
                     std::vector<std::byte>& out) {
  const std::size_t before = out.size();
  std::size_t bound = 2;
  for (const field_line& line : lines) bound += max_line_size(line);
  out.resize(before + bound);
  std::byte* at = out.data() + before;
  *at++ = std::byte{0};  // Required Insert Count 0 and Base 0: no reference to the dynamic table
  *at++ = std::byte{0};
  //= RFC 9204 section 2.1
  //# An
  //# encoder MUST emit field representations in the order they appear in the input
  //# field section.
  for (const field_line& line : lines) at = write_line(at, line);
  out.resize(static_cast<std::size_t>(at - out.data()));
}

bool encoder::receive(bytes input) {
  while (!input.empty()) {
    const std::size_t before = pending_.size();
    const std::size_t taken = std::min(input.size(), max_prefix_integer_size - before);
    pending_.insert(pending_.end(), input.begin(),
                    input.begin() + static_cast<std::ptrdiff_t>(taken));
    input_cursor cursor{bytes(pending_)};
    const auto first = std::to_integer<std::uint8_t>(pending_.front());
    std::uint64_t value = 0;
    const parse_status status = read_prefix_integer(cursor, first & 0x80 ? 7 : 6, value);
    if (status == parse_status::truncated) return pending_.size() < max_prefix_integer_size;
    if (status == parse_status::invalid || !run_instruction(first, value)) return false;
    input = input.subspan(pending_.size() - cursor.remaining() - before);
    pending_.clear();
  }
  return true;
}

bool encoder::run_instruction(std::uint8_t first, std::uint64_t) const noexcept {
  //= RFC 9204 section 4.4.1
  //# If an encoder receives a Section Acknowledgment instruction referring to a
  //# stream on which every encoded field section with a non-zero Required Insert
  //# Count has already been acknowledged, this MUST be treated as a connection error
  //# of type QPACK_DECODER_STREAM_ERROR.
  //= RFC 9204 section 4.4.3
  //# An encoder that receives an Increment field equal to zero, or one that increases
  //# the Known Received Count beyond what the encoder has sent, MUST treat this as a
  //# connection error of type QPACK_DECODER_STREAM_ERROR.
  // Nothing was ever inserted or referenced, so every acknowledgment and every increment is wrong;
  // cancellations are fine.
  return (first & 0xc0) == 0x40;
}

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
