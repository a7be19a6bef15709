// SPDX-License-Identifier: Apache-2.0
// ECHConfigLists, as bytes and as base64: whatever is accepted is written back as it came, and
// what is called usable keeps to the rules for it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "strata/transport/core/ech_config.hpp"
#include "strata/transport/core/limits.hpp"

namespace {

using namespace strata::transport;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const bytes given = std::as_bytes(std::span(input, size));
  const auto parsed = parse_ech_config_list(given);
  require(parsed || (parsed.error().code && !parsed.error().text.empty()));
  if (parsed) {
    require(!parsed->empty() && parsed->size() <= limits::ech_configs);
    require(equal_bytes(encode_ech_config_list(*parsed), given));
    for (const ech_config& each : *parsed) {
      const std::string line = describe(each);
      for (const char letter : line) require(letter >= ' ' && letter < 0x7f);
      if (!ech_config_unusable(each).empty()) continue;
      require(each.version == ech_version && is_ech_public_name(each.public_name));
      require(each.public_name.back() != '.' && !each.public_key.empty());
    }
  }
  const auto either = read_ech_config_list(given);
  if (parsed) require(either && *either == *parsed);
  if (either) require(parse_ech_config_list(encode_ech_config_list(*either)).has_value());
  return 0;
}
