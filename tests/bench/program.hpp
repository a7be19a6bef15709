// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/arguments.hpp"

namespace strata::bench {

using program_mode = std::function<asio::awaitable<void>(const arguments&)>;

/// The main() of a program with these modes: runs the one that its first word names, on one thread.
int run_program(int count, const char* const* words,
                const std::vector<std::pair<std::string, program_mode>>& modes);

}  // namespace strata::bench
