// SPDX-License-Identifier: Apache-2.0
// Chunked bodies: however they are cut, the same content comes out.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "strata/transport/core/http1_chunked.hpp"

using namespace strata::transport;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

struct outcome {
  std::string content;
  std::size_t consumed = 0;
  std::error_code error;
  bool done = false;
  bool operator==(const outcome&) const = default;
};

outcome decode(bytes input, std::size_t step) {
  http1_chunked_decoder decoder;
  outcome seen;
  while (!input.empty() && !decoder.is_done()) {
    const auto piece = decoder.next(input.first(std::min(step, input.size())));
    if (!piece) {
      seen.error = piece.error();
      check(decoder.problem() != nullptr);
      // How far it had come depends on the cut; what it gave before does not matter any more.
      seen.consumed = 0;
      break;
    }
    check(piece->consumed != 0 && piece->consumed <= std::min(step, input.size()));
    check(piece->content.size() <= piece->consumed);
    if (!piece->content.empty())
      check(piece->content.data() + piece->content.size() == input.data() + piece->consumed);
    seen.content += as_text(piece->content);
    seen.consumed += piece->consumed;
    input = input.subspan(piece->consumed);
  }
  seen.done = decoder.is_done();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const bytes body = std::as_bytes(std::span(input, size));
  const outcome whole = decode(body, SIZE_MAX);
  check(whole == decode(body, 1));
  check(whole == decode(body, 5));
  // The same content in chunks of our own.
  std::string again;
  if (!whole.content.empty()) {
    append_http1_chunk_line(again, whole.content.size());
    again += whole.content + "\r\n";
  }
  append_http1_chunk_line(again, 0);
  const outcome second = decode(as_bytes(again), 11);
  check(second.done && second.content == whole.content && second.consumed == again.size());
  return 0;
}
