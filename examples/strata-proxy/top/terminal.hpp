// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <termios.h>
#include <cstddef>
#include <optional>
#include <string_view>

namespace top {

/// The terminal that standard output is, drawn on from its corner while this is entered, and as it
/// was before once this is left or destroyed.
class terminal {
 public:
  struct extent {
    std::size_t width = 80;
    std::size_t height = 24;
  };

  /// Keys come from the terminal itself, opened anew: what is set on such a descriptor (not to
  /// block) is not what the shell's standard input has then.
  terminal();
  ~terminal();
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  static bool is_output();
  static extent size();

  /// Negative where keys cannot be read.
  int keys() const { return keys_; }
  void enter();
  void leave() noexcept;
  /// False when the terminal has gone.
  bool show(std::string_view text) noexcept;

 private:
  int keys_ = -1;
  std::optional<termios> before_;
  bool is_entered_ = false;
};

}  // namespace top
