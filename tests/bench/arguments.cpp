// SPDX-License-Identifier: Apache-2.0
#include "bench/arguments.hpp"

#include <functional>
#include <map>
#include <stdexcept>
#include <string_view>

namespace strata::bench {

namespace {

using setter = std::function<void(arguments&, const std::string&)>;

template <class Number>
setter number(Number arguments::* member) {
  return [member](arguments& out, const std::string& value) {
    std::size_t used = 0;
    out.*member = static_cast<Number>(std::stoull(value, &used, 0));
    if (used != value.size()) throw std::invalid_argument(value);
  };
}

setter text(std::string arguments::* member) {
  return [member](arguments& out, const std::string& value) { out.*member = value; };
}

const std::map<std::string_view, setter>& setters() {
  static const std::map<std::string_view, setter> all = {
      {"--cert", text(&arguments::cert)},
      {"--key", text(&arguments::key)},
      {"--connect", text(&arguments::connect)},
      {"--group", text(&arguments::group)},
      {"--datagram", number(&arguments::datagram)},
      {"--window", number(&arguments::window)},
      {"--socket-buffer", number(&arguments::socket_buffer)},
      {"--bytes", number(&arguments::bytes)},
      {"--count", number(&arguments::count)},
      {"--parallel", number(&arguments::parallel)},
      {"--connections", number(&arguments::connections)},
      {"--segments", number(&arguments::segments)},
      {"--borrowed", number(&arguments::borrowed)},
      {"--read-size", number(&arguments::read_size)},
      {"--peek", number(&arguments::peek)},
      {"--watermark", number(&arguments::watermark)},
      {"--seconds",
       [](arguments& out, const std::string& value) {
         out.time = std::chrono::nanoseconds(static_cast<std::int64_t>(std::stod(value) * 1e9));
       }},
  };
  return all;
}

}  // namespace

arguments parse_arguments(int count, const char* const* words) {
  arguments parsed;
  if (count > 1) parsed.mode = words[1];
  for (int i = 2; i < count; i += 2) {
    const auto found = setters().find(words[i]);
    if (found == setters().end()) {
      throw std::invalid_argument(std::string("unknown flag ") + words[i]);
    }
    if (i + 1 == count) throw std::invalid_argument(std::string(words[i]) + " wants a value");
    try {
      found->second(parsed, words[i + 1]);
    } catch (const std::exception&) {
      throw std::invalid_argument(std::string(words[i]) + ": not understood: " + words[i + 1]);
    }
  }
  return parsed;
}

}  // namespace strata::bench
