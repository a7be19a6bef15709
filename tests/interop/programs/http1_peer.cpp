// SPDX-License-Identifier: Apache-2.0
// Our side of ./dev interop http1: what every program of it takes and prints stands in README.md.
#include <cstdio>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/http1_chunked.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::interop {
namespace {

using namespace transport;

std::string hex(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string made;
  for (const char each : text) {
    const auto octet = static_cast<unsigned char>(each);
    made += digits[octet >> 4];
    made += digits[octet & 15];
  }
  return made;
}

std::string unhex(std::string_view text) {
  std::string made;
  for (std::size_t at = 0; at + 1 < text.size(); at += 2)
    made += static_cast<char>(std::stoi(std::string(text.substr(at, 2)), nullptr, 16));
  return made;
}

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }
std::string quoted_hex(std::string_view text) { return quoted(hex(text)); }

std::string_view name_of(http1_body body) {
  switch (body) {
    case http1_body::none: return "none";
    case http1_body::length: return "length";
    case http1_body::chunked: return "chunked";
    case http1_body::until_close: return "until_close";
    default: return "tunnel";
  }
}

http1_exchange exchange_of(std::string_view name) {
  return {.head = name == "head", .connect = name == "connect", .upgrade = name == "upgrade"};
}

/// Reads messages out of one input, in pieces of `step` bytes.
class reading {
 public:
  reading(std::string_view kind, std::string_view exchange, std::string_view input)
      : parser_(kind == "request" ? http1_head_parser::of_requests()
                                  : http1_head_parser::of_responses(exchange_of(exchange))),
        answered_(exchange_of(exchange)),
        input_(input) {}

  std::string run(std::size_t step) {
    for (step_ = step; end_.empty();) {
      if (!read_head()) break;
      describe(parser_.head());
      if (!read_body(parser_.head().framing())) break;
      next_message();
    }
    return "{\"messages\":[" + messages_ + "],\"end\":" + quoted(end_) +
           ",\"status\":" + std::to_string(status_) + ",\"why\":" + quoted(why_) + "}";
  }

 private:
  bytes piece() const { return as_bytes(input_.substr(at_, step_)); }
  bool over(const char* how) {
    end_ = how;
    return false;
  }
  bool refused(const http1_problem& problem) {
    status_ = problem.status;
    why_ = problem.text;
    return over("refused");
  }

  bool read_head() {
    while (!parser_.is_done()) {
      if (at_ == input_.size()) return over(parser_.is_idle() ? "clean" : "waiting");
      const auto taken = parser_.receive(piece());
      if (!taken) return refused(*parser_.problem());
      at_ += *taken;
    }
    return true;
  }

  void describe(const http1_head& head) {
    if (!messages_.empty()) messages_ += ',';
    messages_ += "{\"start\":[";
    if (head.kind() == http1_kind::request) {
      const auto [method, target, version] = head.request_line();
      messages_ += quoted_hex(method) + ',' + quoted_hex(target) + ',';
      messages_ += quoted(version == http1_version::v1_1 ? "1.1" : "1.0");
    } else {
      const auto [version, status, reason] = head.status_line();
      messages_ += quoted(std::to_string(status)) + ',' + quoted_hex(reason) + ',';
      messages_ += quoted(version == http1_version::v1_1 ? "1.1" : "1.0");
    }
    messages_ += "],\"fields\":[";
    for (std::size_t i = 0; i < head.size(); ++i) {
      if (i != 0) messages_ += ',';
      messages_ += '[' + quoted_hex(head[i].name) + ',' + quoted_hex(head[i].value) + ']';
    }
    const http1_framing framing = head.framing();
    messages_ += "],\"body\":" + quoted(name_of(framing.body));
    messages_ += ",\"length\":" + std::to_string(framing.length);
    messages_ += ",\"persistent\":" + std::string(framing.persistent ? "true" : "false");
  }

  /// Closes what describe() has opened.
  bool read_body(const http1_framing& framing) {
    std::string content;
    bool complete = true;
    if (framing.body == http1_body::length) {
      content = input_.substr(at_, framing.length);
      complete = content.size() == framing.length;
      at_ += content.size();
    } else if (framing.body == http1_body::chunked) {
      complete = read_chunks(content);
    } else if (framing.body == http1_body::until_close) {
      content = input_.substr(at_);
      at_ = input_.size();
    }
    messages_ += ",\"content\":" + quoted_hex(content);
    messages_ += ",\"complete\":" + std::string(complete ? "true" : "false");
    messages_ += ",\"ends\":" + std::to_string(complete ? at_ : 0) + '}';
    if (complete) return true;
    return end_.empty() ? over("waiting") : false;
  }

  bool read_chunks(std::string& content) {
    http1_chunked_decoder decoder;
    while (!decoder.is_done()) {
      if (at_ == input_.size()) return false;
      const auto next = decoder.next(piece());
      if (!next) return refused(*decoder.problem());
      content += as_text(next->content);
      at_ += next->consumed;
    }
    return true;
  }

  void next_message() {
    const http1_head& head = parser_.head();
    const bool interim = head.kind() == http1_kind::response && head.status_line().status < 200;
    if (head.framing().body == http1_body::tunnel) {
      end_ = "tunnel";
    } else if (!head.framing().persistent) {
      end_ = "closed";
    } else {
      parser_.restart(interim ? answered_ : http1_exchange{});
    }
  }

  http1_head_parser parser_;
  http1_exchange answered_;
  std::string_view input_;
  std::size_t at_ = 0;
  std::size_t step_ = 0;
  std::string messages_;
  std::string end_;
  unsigned status_ = 0;
  std::string why_;
};

std::string answer(const std::string& line) {
  std::istringstream words(line);
  std::string kind, exchange, octets;
  if (!(words >> kind >> exchange >> octets)) throw std::runtime_error("not KIND EXCHANGE HEX");
  const std::string input = unhex(octets);
  const std::string whole = reading(kind, exchange, input).run(input.size());
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}})
    if (reading(kind, exchange, input).run(step) != whole)
      throw std::runtime_error("another result when it comes in pieces: " + line.substr(0, 2000));
  return whole;
}

}  // namespace
}  // namespace strata::interop

int main(int count, char** words) {
  if (count > 1 && std::string_view(words[1]) == "version") {
    std::puts("strata");
    return 0;
  }
  try {
    for (std::string line; std::getline(std::cin, line);)
      std::cout << strata::interop::answer(line) << '\n';
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "%s\n", thrown.what());
    return 1;
  }
  return std::cout.flush() ? 0 : 1;
}
