// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "strata/h3/core/known_field.hpp"
#include "strata/h3/export.hpp"

namespace strata::h3 {
inline namespace v0 {

/// One name and value of a message. The views belong to whoever made the line.
struct field_line {
  std::string_view name;  ///< Lower case; pseudo-header fields with their colon.
  std::string_view value;
  known_field id = known_field::unknown;  ///< Of `name`; may stay `unknown` in lines to be sent.
  bool never_indexed = false;  ///< Must stay a literal on every hop (RFC 9204 section 4.5.4).
};

/// The field lines of a header or trailer section, in order and with their repeats, in one piece of
/// memory that clear() keeps: a section that is used again allocates nothing. Names stay as they
/// came; a validated section has them in lower case. Views from it live until it is changed or
/// destroyed.
class STRATA_H3_API field_section {
 public:
  class iterator;

  void clear() noexcept;
  /// Appends a copy. Together all text must stay below 4 GiB.
  void add(std::string_view name, std::string_view value, bool never_indexed = false);
  void swap(field_section& other) noexcept;

  std::size_t size() const noexcept { return lines_.size(); }
  bool empty() const noexcept { return lines_.empty(); }
  field_line operator[](std::size_t index) const noexcept;
  iterator begin() const noexcept;
  iterator end() const noexcept;

  /// The value of the first line of this name.
  std::optional<std::string_view> find(known_field id) const noexcept;
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  std::size_t count(known_field id) const noexcept;
  /// Names and values and 32 bytes for each line (RFC 9114 section 4.2.2).
  std::size_t field_section_size() const noexcept { return text_size_ + 32 * lines_.size(); }
  /// Bytes of memory held, used or not.
  std::size_t memory() const noexcept;

  /// For decoders, which write in place: memory for `size` more bytes of text; it dies with the
  /// next change.
  char* free_text(std::size_t size);
  /// Keeps the first `size` bytes written there.
  void keep_text(std::size_t size) noexcept { text_size_ += size; }
  struct line_shape {
    known_field id;
    bool never_indexed;
  };
  /// Makes a line of the last `name_size` + `value_size` bytes that were kept.
  void keep_line(std::size_t name_size, std::size_t value_size, line_shape shape);

 private:
  struct stored_line {
    std::uint32_t name;  // offsets into text_; the value follows its name
    std::uint32_t value;
    std::uint32_t end;
    known_field id;
    bool never_indexed;
  };

  std::vector<char> text_;  // its size is what was allocated; text_size_ of it is used
  std::size_t text_size_ = 0;
  std::vector<stored_line> lines_;
};

class field_section::iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = field_line;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = field_line;

  iterator() = default;
  iterator(const field_section& section, std::size_t index) noexcept
      : section_(&section), index_(index) {}
  field_line operator*() const noexcept { return (*section_)[index_]; }
  iterator& operator++() noexcept { return ++index_, *this; }
  iterator operator++(int) noexcept {
    iterator before = *this;
    ++index_;
    return before;
  }
  bool operator==(const iterator& other) const noexcept { return index_ == other.index_; }

 private:
  const field_section* section_ = nullptr;
  std::size_t index_ = 0;
};

inline field_section::iterator field_section::begin() const noexcept { return {*this, 0}; }
inline field_section::iterator field_section::end() const noexcept { return {*this, size()}; }

}  // namespace v0
}  // namespace strata::h3
