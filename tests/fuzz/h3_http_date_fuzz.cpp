// SPDX-License-Identifier: Apache-2.0
// Input: a date as a peer may write it. What can be read is written in the one form we write, and
// that reads as the same time.
#include <cstdint>
#include <cstdlib>

#include "driver/http_date.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strata::h3::detail;
  const auto read = parse_http_date({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  const auto again = parse_http_date(format_http_date(*read));
  if (again != read) std::abort();
  return 0;
}
