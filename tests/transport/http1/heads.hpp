// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::transport::tests {

/// What a parser made of a text.
struct outcome {
  http1_head_parser parser;
  std::error_code error;
  std::size_t consumed = 0;

  bool is_done() const { return parser.is_done(); }
  const http1_head& head() const { return parser.head(); }
  unsigned status() const { return parser.problem() ? parser.problem()->status : 0; }
};

inline outcome feed(http1_head_parser parser, std::string_view text, std::size_t step = SIZE_MAX) {
  outcome seen{std::move(parser), {}, 0};
  while (seen.consumed < text.size() && !seen.parser.is_done()) {
    const std::string_view piece = text.substr(seen.consumed, step);
    const auto taken = seen.parser.receive(as_bytes(piece));
    if (!taken) {
      seen.error = taken.error();
      break;
    }
    seen.consumed += *taken;
  }
  return seen;
}

inline outcome request(std::string_view text, std::size_t step = SIZE_MAX) {
  return feed(http1_head_parser::of_requests(), text, step);
}
inline outcome response(std::string_view text, const http1_exchange& answered = {}) {
  return feed(http1_head_parser::of_responses(answered), text);
}

/// A request with these field lines, each ended by CR LF, besides its Host.
inline outcome post_with(std::string_view lines) {
  return request("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n");
}
inline outcome ok_with(std::string_view lines, const http1_exchange& answered = {}) {
  return response("HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n", answered);
}

}  // namespace strata::transport::tests
