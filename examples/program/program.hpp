// SPDX-License-Identifier: Apache-2.0
// What example programs say and do alike when they start.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "strata/transport/core/connection_security.hpp"

namespace program {

/// What messages begin with; main sets it first.
inline std::string_view name = "program";

/// A line for whoever runs the program.
inline void say(std::string_view text) { std::cerr << name << ": " << text << std::endl; }

/// What a result holds, or the end of the program with a line about `what` failed and why.
template <class Result>
auto value_or_exit(Result result, std::string_view what) {
  if (result) return std::move(*result);
  const auto& error = result.error();
  std::cerr << name << ": " << what << ": ";
  if constexpr (requires { error.text; }) {
    std::cerr << error.text << "\n";
  } else {
    std::cerr << error.message() << "\n";
  }
  std::exit(1);
}

/// In hexadecimal digits, as value_of_hash() reads it.
inline std::string hex(const strata::transport::certificate_hash& hash) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte each : hash) {
    text += digits[std::to_integer<unsigned>(each) >> 4];
    text += digits[std::to_integer<unsigned>(each) & 15];
  }
  return text;
}

/// Nothing unless the text is 64 hexadecimal digits.
inline std::optional<strata::transport::certificate_hash> hash_of(std::string_view text) {
  strata::transport::certificate_hash made{};
  if (text.size() != 2 * made.size()) return std::nullopt;
  for (std::size_t i = 0; i < made.size(); ++i) {
    unsigned value = 0;
    const char* const at = text.data() + 2 * i;
    if (std::from_chars(at, at + 2, value, 16).ptr != at + 2) return std::nullopt;
    made[i] = static_cast<std::byte>(value);
  }
  return made;
}

/// What a user compares, or gives to a client that is to believe this certificate alone.
inline void print_hash(const strata::transport::certificate_hash& hash) {
  std::cout << "certificate SHA-256 " << hex(hash) << "\n";
}

}  // namespace program
