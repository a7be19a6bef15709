// SPDX-License-Identifier: Apache-2.0
// What is drawn: lines of text with marks for emphasis, made of a view and nothing else.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "top/history.hpp"

namespace top {

enum class order : unsigned char { by_rate, by_bytes, by_age };
order next(order of);

struct frame_options {
  std::size_t width = 80;
  std::size_t height = 24;  ///< Zero: as many lines as there are.
  bool ascii = false;
  bool is_interactive = true;  ///< Says which keys there are.
  bool is_paused = false;
  order sorted = order::by_rate;
  std::string source;  ///< Whom it asks.
};

enum class style : unsigned char { plain, strong, title, faint, alarm };

struct piece {
  std::string text;
  style as = style::plain;
};
using line = std::vector<piece>;

/// No line is wider than `width` columns, and there are no more of them than `height`; no text in
/// it controls a terminal.
std::vector<line> draw(const view& of, const frame_options& how);

/// What to do where nobody answers.
std::string hint(std::string_view source);

/// Lines with ends, for a file.
std::string plain_text(const std::vector<line>& of);
/// One text that replaces what the terminal shows, without clearing it before: nothing flickers.
std::string screen_text(const std::vector<line>& of, bool colours);

/// "1.2 kB", "999 B".
std::string bytes_text(double count);
/// "850 us", "1.2 ms".
std::string seconds_text(double seconds);
/// "59 s", "12:34", "2 h 03", "3 d 04".
std::string age_text(std::uint64_t seconds);
/// The last `width` values, as high as they are beside the highest of them.
std::string sparkline(const series& of, std::size_t width, bool ascii);

}  // namespace top
