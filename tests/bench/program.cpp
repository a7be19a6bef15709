// SPDX-License-Identifier: Apache-2.0
#include "bench/program.hpp"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdio>
#include <exception>

namespace strata::bench {

namespace {

int show_usage(const char* program,
               const std::vector<std::pair<std::string, program_mode>>& modes) {
  std::fprintf(stderr, "usage: %s MODE [--FLAG VALUE]...; modes:", program);
  for (const auto& [name, mode] : modes) std::fprintf(stderr, " %s", name.c_str());
  std::fputc('\n', stderr);
  return 2;
}

}  // namespace

int run_program(int count, const char* const* words,
                const std::vector<std::pair<std::string, program_mode>>& modes) {
  try {
    const arguments chosen = parse_arguments(count, words);
    const auto found =
        std::ranges::find_if(modes, [&](const auto& mode) { return mode.first == chosen.mode; });
    if (found == modes.end()) return show_usage(words[0], modes);
    asio::io_context context(1);
    std::exception_ptr failure;
    asio::co_spawn(context, found->second(chosen), [&](std::exception_ptr thrown) {
      failure = std::move(thrown);
      context.stop();
    });
    context.run();
    if (failure) std::rethrow_exception(failure);
    return 0;
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "%s: %s\n", words[0], thrown.what());
    return 1;
  }
}

}  // namespace strata::bench
