// SPDX-License-Identifier: Apache-2.0
// Text for a terminal. Names come from clients and from files: one with a control sequence in it
// would move the cursor, set the window's title or answer in the user's place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace top {

/// The text with every character that is not known to take one column, and every byte that is no
/// UTF-8, as one '?'. Left are ASCII's and, unless `ascii`, letters of European scripts.
std::string printable(std::string_view text, bool ascii);

/// Of text that is printable.
std::size_t columns(std::string_view text);
/// Its first `width` columns; the last of them says that there was more.
std::string cut(std::string_view text, std::size_t width, bool ascii);
/// In exactly `width` columns.
std::string padded(std::string_view text, std::size_t width, bool to_the_right = false);

}  // namespace top
