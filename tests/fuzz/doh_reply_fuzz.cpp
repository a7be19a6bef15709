// SPDX-License-Identifier: Apache-2.0
// Responses of HTTP/1.1 to a DoH client: however the bytes are cut, the same comes out, and within
// the limits.
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "strata/transport/core/doh_message.hpp"
#include "strata/transport/core/limits.hpp"

namespace {

using namespace strata::transport;

void require(bool holds) {
  if (!holds) std::abort();
}

struct outcome {
  std::error_code error;
  bool is_done = false;
  bool is_persistent = false;
  std::size_t taken = 0;
  std::chrono::seconds age{0};
  std::vector<std::byte> message;

  friend bool operator==(const outcome&, const outcome&) = default;
};

outcome read(bytes input, std::size_t piece) {
  doh_reply_reader reader;
  outcome out;
  while (!reader.is_done() && out.taken < input.size()) {
    const bytes next = input.subspan(out.taken, std::min(piece, input.size() - out.taken));
    const auto taken = reader.receive(next);
    require(reader.message().size() <= limits::max_dns_message);
    if (!taken) return out.error = taken.error(), out.taken = 0, out;
    require(*taken <= next.size() && (*taken == next.size() || reader.is_done()));
    out.taken += *taken;
  }
  if (const auto ended = reader.receive_end(); !ended) return out.error = ended.error(), out;
  require(reader.is_done());
  out.is_done = true;
  out.is_persistent = reader.is_persistent();
  out.age = reader.age();
  out.message = reader.message();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const bytes all = std::as_bytes(std::span(input, size));
  const bytes response = all.subspan(1);
  const std::size_t piece = 1 + std::to_integer<std::size_t>(all[0]) % 32;
  const outcome whole = read(response, response.size() + 1);
  require(read(response, piece) == whole);
  require(read(response, 1) == whole);
  return 0;
}
