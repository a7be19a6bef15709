// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/core/field_section.hpp"

#include <algorithm>
#include <cstring>

namespace strata::h3 {
inline namespace v0 {

void field_section::clear() noexcept {
  lines_.clear();
  text_size_ = 0;
}

void field_section::add(std::string_view name, std::string_view value, bool never_indexed) {
  char* out = free_text(name.size() + value.size());
  if (!name.empty()) std::memcpy(out, name.data(), name.size());
  if (!value.empty()) std::memcpy(out + name.size(), value.data(), value.size());
  keep_text(name.size() + value.size());
  keep_line(name.size(), value.size(),
            {.id = find_known_field(name), .never_indexed = never_indexed});
}

void field_section::swap(field_section& other) noexcept {
  text_.swap(other.text_);
  std::swap(text_size_, other.text_size_);
  lines_.swap(other.lines_);
}

field_line field_section::operator[](std::size_t index) const noexcept {
  const stored_line& line = lines_[index];
  const char* text = text_.data();
  return {.name = {text + line.name, line.value - line.name},
          .value = {text + line.value, line.end - line.value},
          .id = line.id,
          .never_indexed = line.never_indexed};
}

std::optional<std::string_view> field_section::find(known_field id) const noexcept {
  for (std::size_t i = 0; i < lines_.size(); ++i)
    if (lines_[i].id == id) return (*this)[i].value;
  return std::nullopt;
}

std::optional<std::string_view> field_section::find(std::string_view name) const noexcept {
  if (const known_field id = find_known_field(name); id != known_field::unknown) return find(id);
  for (const field_line line : *this)
    if (line.name == name) return line.value;
  return std::nullopt;
}

std::size_t field_section::count(known_field id) const noexcept {
  return static_cast<std::size_t>(std::count_if(
      lines_.begin(), lines_.end(), [&](const stored_line& line) { return line.id == id; }));
}

std::size_t field_section::memory() const noexcept {
  return text_.capacity() + lines_.capacity() * sizeof(stored_line);
}

char* field_section::free_text(std::size_t size) {
  if (text_.size() - text_size_ < size)
    text_.resize(std::max({text_size_ + size, 2 * text_.size(), std::size_t{512}}));
  return text_.data() + text_size_;
}

void field_section::keep_line(std::size_t name_size, std::size_t value_size, line_shape shape) {
  const std::size_t value = text_size_ - value_size;
  lines_.push_back({.name = static_cast<std::uint32_t>(value - name_size),
                    .value = static_cast<std::uint32_t>(value),
                    .end = static_cast<std::uint32_t>(text_size_),
                    .id = shape.id,
                    .never_indexed = shape.never_indexed});
}

}  // namespace v0
}  // namespace strata::h3
