// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format, version 0.0.4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// A label with its value, as the format wants it escaped.
inline std::string label(std::string_view name, std::string_view value) {
  std::string made = std::string(name) + "=\"";
  for (const char each : value) {
    if (each == '\n')
      made += "\\n";
    else if (each == '"' || each == '\\')
      (made += '\\') += each;
    else
      made += each;
  }
  return made + '"';
}

class exposition {
 public:
  void family(std::string_view name, std::string_view kind, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " +
             std::string(kind) + "\n";
  }
  void value(const std::string& labels, std::uint64_t number) {
    sample("", labels, std::to_string(number));
  }
  /// Of a histogram the parts have names of their own.
  void sample(std::string_view suffix, const std::string& labels, const std::string& number) {
    text_ += name_;
    text_ += suffix;
    text_ += (labels.empty() ? "" : "{" + labels + "}") + " " + number + "\n";
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};
