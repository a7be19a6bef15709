// SPDX-License-Identifier: Apache-2.0
#include "top/table.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "top/printable.hpp"

namespace top {
namespace {

constexpr std::size_t gap = 2;

std::size_t sum_of(const std::vector<std::size_t>& widths) {
  std::size_t all = 0;
  for (const std::size_t each : widths)
    if (each != 0) all += each + gap;
  return all == 0 ? 0 : all - gap;
}

}  // namespace

std::size_t table::longest(std::size_t index) const {
  std::size_t most = columns(columns_[index].title);
  for (const auto& row : rows_) most = std::max(most, columns(row[index].text));
  return most;
}

/// How wide each column is drawn; zero: it is not.
std::vector<std::size_t> table::fit(std::size_t width) const {
  std::vector<std::size_t> wanted, made;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    wanted.push_back(longest(i));
    made.push_back(columns_[i].least == 0 ? wanted[i] : std::min(columns_[i].least, wanted[i]));
  }
  while (sum_of(made) > width) {
    std::size_t last = 0;
    for (std::size_t i = 0; i < made.size(); ++i)
      if (made[i] != 0 && columns_[i].rank >= columns_[last].rank) last = i;
    if (made[last] == 0 || columns_[last].rank == 0) break;
    made[last] = 0;
  }
  // What is left goes to those that were cut, a column to each in turn.
  for (bool grew = true; grew && sum_of(made) < width;) {
    grew = false;
    for (std::size_t i = 0; i < made.size() && sum_of(made) < width; ++i) {
      if (made[i] == 0 || made[i] >= wanted[i]) continue;
      ++made[i];
      grew = true;
    }
  }
  return made;
}

std::vector<line> table::draw(std::size_t width, bool ascii) const {
  const std::vector<std::size_t> widths = fit(width);
  std::vector<line> made;
  const auto add_line = [&](auto&& cell_of) {
    line drawn;
    std::size_t left = width;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == 0 || left == 0) continue;
      if (!drawn.empty()) {
        drawn.push_back({.text = std::string(std::min(gap, left), ' ')});
        left -= std::min(gap, left);
      }
      piece cell = cell_of(i);
      const std::size_t fitted = std::min(widths[i], left);
      cell.text = padded(cut(cell.text, fitted, ascii), fitted, columns_[i].to_the_right);
      left -= fitted;
      drawn.push_back(std::move(cell));
    }
    drawn.push_back({.text = std::string(left, ' ')});
    made.push_back(std::move(drawn));
  };
  add_line([&](std::size_t i) { return piece{.text = columns_[i].title}; });
  for (piece& each : made.front()) each.as = style::title;
  for (const auto& row : rows_) add_line([&](std::size_t i) { return row[i]; });
  return made;
}

}  // namespace top
