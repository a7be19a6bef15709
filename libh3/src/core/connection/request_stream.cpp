// SPDX-License-Identifier: Apache-2.0
#include "core/connection/request_stream.hpp"

#include <utility>

#include "strata/h3/core/limits.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

void request_stream::clear(std::uint64_t new_id) {
  request_stream fresh;
  fresh.id = new_id;
  if (encoded.capacity() <= limits::max_pooled_buffer) fresh.encoded.swap(encoded);
  if (unsent.capacity() <= limits::max_pooled_buffer) fresh.unsent.swap(unsent);
  if (section.memory() <= limits::max_pooled_buffer) fresh.section.swap(section);
  fresh.encoded.clear();
  fresh.unsent.clear();
  fresh.section.clear();
  *this = std::move(fresh);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
