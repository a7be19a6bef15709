// SPDX-License-Identifier: Apache-2.0
#include "top/printable.hpp"

#include <algorithm>

namespace top {
namespace {

bool continues(char each) { return (static_cast<unsigned char>(each) & 0xc0) == 0x80; }

/// The two-byte characters of UTF-8 that take one column each: Latin, Greek and Cyrillic letters
/// and signs, without those that combine (U+0300 to U+036F, U+0483 to U+0489) or are unseen
/// (U+0080 to U+00A0, U+00AD). Whatever is longer than two bytes has wide and turning ones.
bool is_one_column(unsigned point) {
  if (point == 0xad) return false;
  return (point >= 0xa1 && point <= 0x24f) ||
         (point >= 0x391 && point <= 0x3ce && point != 0x3a2) ||
         (point >= 0x400 && point <= 0x481) || (point >= 0x48a && point <= 0x52f);
}

/// How many bytes the character at the front takes, whole or broken.
std::size_t length_of(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  std::size_t length = 1;
  while (length < wanted && length < text.size() && continues(text[length])) ++length;
  return length;
}

}  // namespace

std::string printable(std::string_view text, bool ascii) {
  std::string made;
  while (!text.empty()) {
    const std::size_t length = length_of(text);
    const auto first = static_cast<unsigned char>(text[0]);
    bool is_good = first >= 0x20 && first < 0x7f;
    // Control characters written in two bytes (0xc0, 0xc1) are of no column either.
    if (!ascii && length == 2 && first <= 0xdf)
      is_good = is_one_column((first & 0x1fu) << 6 | (static_cast<unsigned char>(text[1]) & 0x3fu));
    if (is_good)
      made += text.substr(0, length);
    else
      made += '?';
    text.remove_prefix(length);
  }
  return made;
}

std::size_t columns(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::ranges::count_if(text, continues));
}

std::string cut(std::string_view text, std::size_t width, bool ascii) {
  if (columns(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t end = 0;
  for (std::size_t left = width; end < text.size() && left > 1; --left)
    end += length_of(text.substr(end));
  return std::string(text.substr(0, end)) + (ascii ? "~" : "…");
}

std::string padded(std::string_view text, std::size_t width, bool to_the_right) {
  const std::size_t has = columns(text);
  const std::string space(width > has ? width - has : 0, ' ');
  return to_the_right ? space + std::string(text) : std::string(text) + space;
}

}  // namespace top
