// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "top/frame.hpp"

namespace top {

struct column {
  std::string title;
  /// Columns it can do with; zero: as many as its longest cell has.
  std::size_t least = 0;
  bool to_the_right = false;
  /// Where there is no room for all, those with the highest go; zero stays.
  unsigned rank = 0;
};

/// Rows under a line of titles, fitted into a width.
class table {
 public:
  explicit table(std::vector<column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns, of printable text.
  void add(std::vector<piece> cells) { rows_.push_back(std::move(cells)); }
  std::vector<line> draw(std::size_t width, bool ascii) const;

 private:
  std::vector<std::size_t> fit(std::size_t width) const;
  std::size_t longest(std::size_t index) const;

  std::vector<column> columns_;
  std::vector<std::vector<piece>> rows_;
};

}  // namespace top
