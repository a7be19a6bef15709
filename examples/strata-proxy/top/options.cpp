// SPDX-License-Identifier: Apache-2.0
#include "top/options.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "configuration.hpp"

namespace top {
namespace {

using strata::transport::address;

/// "0.5" and "2": seconds.
std::optional<std::chrono::milliseconds> interval_of(std::string_view text) {
  double seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || rest != end || !(seconds >= 0.1 && seconds <= 3600))
    return std::nullopt;
  return std::chrono::milliseconds(static_cast<int>(seconds * 1000));
}

/// The address where that configuration's daemon tells of itself.
void take_configuration(const std::string& file, parsed_options& into) {
  const configuration_result read = read_configuration(file);
  if (!read.problems.empty()) {
    const configuration_problem& first = read.problems.front();
    into.problem =
        file + ":" + (first.line != 0 ? std::to_string(first.line) + ":" : "") + " " + first.text;
  } else if (!read.value.admin) {
    into.problem = file + " has no admin = \"127.0.0.1:9090\", where figures would be";
  } else if (read.value.admin->port() == 0) {
    into.problem = file + " leaves the port of admin to the system; say --admin ADDRESS";
  } else {
    into.value.admin = *read.value.admin;
  }
}

void take_value(std::string_view word, const std::string& value, parsed_options& into) {
  if (word == "-c" || word == "--config") return take_configuration(value, into);
  if (word == "-a" || word == "--admin") {
    const auto at = address::parse(value);
    if (at && at->port() != 0)
      into.value.admin = *at;
    else
      into.problem = "--admin: '" + value + "' is no address; write it as 127.0.0.1:9090";
  } else {
    const auto interval = interval_of(value);
    if (interval)
      into.value.interval = *interval;
    else
      into.problem = "--interval: '" + value + "' is no number of seconds from 0.1 to 3600";
  }
}

bool says_utf8(const std::function<std::string(const char*)>& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value = environment(name);
    if (value.empty()) continue;
    std::ranges::transform(value, value.begin(), [](unsigned char each) {
      return static_cast<char>(std::tolower(each));
    });
    return value.find("utf-8") != value.npos || value.find("utf8") != value.npos;
  }
  return false;
}

}  // namespace

std::string_view usage() {
  return R"(strata-proxy top: what a running strata-proxy does, from its admin address.

  -a, --admin ADDRESS   where it tells of itself (127.0.0.1:9090)
  -c, --config FILE     or the admin address of this configuration
  -i, --interval TIME   seconds between two looks (1)
      --once            one frame as plain text, also where output is no terminal
      --ascii           without Unicode's blocks, as outside of UTF-8
  -h, --help            this text

Keys: q ends it, p pauses, s sorts sessions by rate, bytes or age. UP is towards the target.
NO_COLOR in the environment: no colours and no emphasis.
)";
}

parsed_options parse_options(const std::vector<std::string>& words,
                             const std::function<std::string(const char*)>& environment) {
  parsed_options made;
  made.value.ascii = !says_utf8(environment) || environment("TERM") == "dumb";
  made.value.colours = environment("NO_COLOR").empty() && environment("TERM") != "dumb";
  const std::string wide = environment("COLUMNS");
  std::size_t width = 0;
  const auto read = std::from_chars(wide.data(), wide.data() + wide.size(), width);
  if (read.ec == std::errc() && width >= 20 && width <= 1000) made.value.width = width;
  constexpr std::array<std::string_view, 6> with_value{"-a",       "--admin", "-c",
                                                       "--config", "-i",      "--interval"};
  for (std::size_t i = 0; i < words.size() && made.problem.empty(); ++i) {
    const std::string& word = words[i];
    if (std::ranges::find(with_value, word) != with_value.end()) {
      if (++i == words.size())
        made.problem = word + " needs a value";
      else
        take_value(word, words[i], made);
    } else if (word == "--once") {
      made.value.once = true;
    } else if (word == "--ascii") {
      made.value.ascii = true;
    } else if (word == "-h" || word == "--help") {
      made.value.help = true;
    } else {
      made.problem = "there is no option '" + word + "'; strata-proxy top --help names all";
    }
  }
  return made;
}

}  // namespace top
