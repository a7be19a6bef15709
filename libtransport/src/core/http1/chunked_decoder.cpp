// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>

#include "core/http1/problems.hpp"
#include "core/http1/syntax.hpp"
#include "strata/transport/core/http1_chunked.hpp"

namespace strata::transport {
inline namespace v0 {

namespace problems = http1::problems;

result<http1_chunked_decoder::piece> http1_chunked_decoder::next(bytes input) {
  if (state_ == state::failed) return std::unexpected(problems::code_of(*problem_));
  std::size_t at = 0;
  while (at < input.size() && state_ != state::done) {
    if (state_ == state::content) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - at));
      left_ -= size;
      content_size_ += size;
      if (left_ == 0) state_ = state::content_return;
      return piece{at + size, input.subspan(at, size)};
    }
    if (const auto* problem = step(std::to_integer<char>(input[at]))) {
      problem_ = problem;
      state_ = state::failed;
      return std::unexpected(problems::code_of(*problem));
    }
    ++at;
  }
  return piece{at, {}};
}

const http1_problem* http1_chunked_decoder::step(char octet) {
  switch (state_) {
    case state::size: return read_size(octet);
    case state::extension: return read_extension(octet);
    case state::size_line_end:
      if (octet != '\n') return &problems::bad_chunk_size;
      state_ = left_ == 0 ? state::trailers : state::content;
      return nullptr;
    case state::content_return:
      state_ = state::content_line_end;
      return octet == '\r' ? nullptr : &problems::bad_chunk_end;
    case state::content_line_end:
      if (octet != '\n') return &problems::bad_chunk_end;
      state_ = state::size;
      digits_ = 0;
      extension_size_ = 0;
      return nullptr;
    default: return read_trailers(octet);
  }
}

/// Hexadecimal digits only: no sign, no "0x", no blank before or after them. All of those have been
/// read as another size by somebody.
const http1_problem* http1_chunked_decoder::read_size(char octet) {
  if (const auto digit = http1::hex_digit(octet)) {
    // Sixteen digits fit into 64 bits, leading zeros included.
    if (++digits_ > 16) return &problems::bad_chunk_size;
    left_ = left_ << 4 | *digit;
    return left_ > limits::max_http1_content_length ? &problems::bad_chunk_size : nullptr;
  }
  if (digits_ == 0) return &problems::bad_chunk_size;
  if (octet == '\r') return state_ = state::size_line_end, nullptr;
  if (octet != ';') return &problems::bad_chunk_size;
  state_ = state::extension;
  return nullptr;
}

/// A reader that lets a quoted string run on would find the end of the line elsewhere.
const http1_problem* http1_chunked_decoder::read_extension(char octet) {
  if (octet == '\r' && !quoted_) return state_ = state::size_line_end, nullptr;
  if (!http1::is_field_octet(octet)) return &problems::bad_chunk_extension;
  if (octet == '"' && !escaped_) quoted_ = !quoted_;
  escaped_ = quoted_ && octet == '\\' && !escaped_;
  ++extension_total_;
  const bool out_of_proportion =
      extension_total_ > limits::http1_chunk_extension_allowance + content_size_;
  return ++extension_size_ > limits::max_http1_chunk_extension || out_of_proportion
             ? &problems::long_chunk_extension
             : nullptr;
}

const http1_problem* http1_chunked_decoder::read_trailers(char octet) {
  if (++trailer_size_ > limits::max_http1_trailer_bytes) return &problems::long_trailer;
  trailer_line_.push_back(octet);
  return octet == '\n' ? end_trailer_line() : nullptr;
}

const http1_problem* http1_chunked_decoder::end_trailer_line() {
  std::string_view line = trailer_line_;
  if (!line.ends_with("\r\n")) return &problems::bad_line_end;
  line.remove_suffix(2);
  if (line.empty()) return state_ = state::done, nullptr;
  if (++trailer_count_ > limits::max_http1_fields) return &problems::many_fields;
  const std::size_t colon = line.find(':');
  if (colon == line.npos || !http1::is_token(line.substr(0, colon)))
    return &problems::bad_field_name;
  if (!http1::is_field_text(line.substr(colon + 1))) return &problems::bad_field_value;
  trailer_line_.clear();
  return nullptr;
}

void append_http1_chunk_line(std::string& out, std::uint64_t size) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
  out.append(digits.data(), end).append(size == 0 ? "\r\n\r\n" : "\r\n");
}

}  // namespace v0
}  // namespace strata::transport
