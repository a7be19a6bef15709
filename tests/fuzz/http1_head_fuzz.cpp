// SPDX-License-Identifier: Apache-2.0
// Heads of HTTP/1: however they are cut, the same comes out; and what was read can be written, and
// is read again as it was. The first byte says which kind of head it is.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "strata/transport/core/http1_head.hpp"

using namespace strata::transport;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

http1_head_parser make_parser(unsigned kind) {
  if (kind % 2 == 0) return http1_head_parser::of_requests();
  return http1_head_parser::of_responses(
      {.head = (kind & 2) != 0, .connect = (kind & 4) != 0, .upgrade = (kind & 8) != 0});
}

struct outcome {
  std::size_t consumed = 0;
  std::error_code error;
};

outcome feed(http1_head_parser& parser, bytes input, std::size_t step) {
  outcome seen;
  while (!input.empty() && !parser.is_done()) {
    const auto taken = parser.receive(input.first(std::min(step, input.size())));
    if (!taken) {
      seen.error = taken.error();
      break;
    }
    seen.consumed += *taken;
    input = input.subspan(*taken);
  }
  return seen;
}

std::vector<http1_field> fields_of(const http1_head& head) {
  std::vector<http1_field> fields;
  for (std::size_t i = 0; i < head.size(); ++i) fields.push_back(head[i]);
  return fields;
}

void check_same(const http1_head& one, const http1_head& other) {
  check(one.framing() == other.framing() && one.size() == other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    check(one[i].name == other[i].name && one[i].value == other[i].value);
    check(one.is_hop_by_hop(i) == other.is_hop_by_hop(i));
  }
}

void check_written(const http1_head& head, unsigned kind) {
  std::string text;
  if (head.kind() == http1_kind::request) {
    const http1_request_line line = head.request_line();
    if (line.version == http1_version::v1_0) return;
    check(append_http1_request(text, line.method, line.target, fields_of(head)).has_value());
  } else {
    const http1_status_line line = head.status_line();
    // The writer does not know what the response answers.
    if (line.version == http1_version::v1_0 || (kind & 4) != 0) return;
    check(append_http1_response(text, line.status, line.reason, fields_of(head)).has_value());
  }
  http1_head_parser again = make_parser(kind);
  if (text.size() > limits::max_http1_head_bytes) return;  // a blank was added to each line
  check(feed(again, as_bytes(text), SIZE_MAX).consumed == text.size() && again.is_done());
  check_same(head, again.head());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const unsigned kind = input[0];
  const bytes text = std::as_bytes(std::span(input, size)).subspan(1);
  http1_head_parser whole = make_parser(kind);
  const outcome expected = feed(whole, text, SIZE_MAX);
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}}) {
    http1_head_parser cut = make_parser(kind);
    const outcome seen = feed(cut, text, step);
    check(seen.error == expected.error && cut.is_done() == whole.is_done());
    check(cut.problem() == whole.problem());
    if (!whole.is_done()) continue;
    check(seen.consumed == expected.consumed);
    check_same(whole.head(), cut.head());
  }
  if (whole.is_done()) check_written(whole.head(), kind);
  return 0;
}
