// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/address.hpp"

namespace top {

struct options {
  strata::transport::address admin = strata::transport::address::loopback_v4(9090);
  std::chrono::milliseconds interval{1000};
  bool once = false;
  bool ascii = false;
  bool colours = true;
  bool help = false;
  std::optional<std::size_t> width;  ///< Where there is no terminal to ask.
};

struct parsed_options {
  options value;
  std::string problem;
};

std::string_view usage();
/// NO_COLOR, COLUMNS, TERM and the locale are looked up in the environment.
parsed_options parse_options(const std::vector<std::string>& words,
                             const std::function<std::string(const char*)>& environment);

}  // namespace top
