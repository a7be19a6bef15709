// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "core/http1/syntax.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::transport {
inline namespace v0 {

http1_request_line http1_head::request_line() const noexcept {
  assert(kind_ == http1_kind::request);
  return {text(0, method_end_), text(second_begin_, second_end_), version_};
}

http1_target http1_head::target() const noexcept {
  const http1_request_line line = request_line();
  return parse_http1_target(line.method, line.target).value_or(http1_target{});
}

http1_status_line http1_head::status_line() const noexcept {
  assert(kind_ == http1_kind::response);
  return {version_, status_, text(second_begin_, second_end_)};
}

http1_field http1_head::operator[](std::size_t index) const noexcept {
  const stored_field& field = fields_[index];
  return {text(field.name, field.name + field.name_size), text(field.value, field.value_end)};
}

std::optional<std::string_view> http1_head::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < size(); ++i) {
    const http1_field field = (*this)[i];
    if (http1::equal_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t http1_head::count(std::string_view name) const noexcept {
  std::size_t found = 0;
  for (std::size_t i = 0; i < size(); ++i)
    if (http1::equal_ignoring_case((*this)[i].name, name)) ++found;
  return found;
}

bool http1_head::has_token(std::string_view name, std::string_view token) const noexcept {
  for (std::size_t i = 0; i < size(); ++i) {
    const http1_field field = (*this)[i];
    if (!http1::equal_ignoring_case(field.name, name)) continue;
    http1::list_reader elements(field.value);
    for (std::string_view element; elements.next(element);)
      if (http1::equal_ignoring_case(element, token)) return true;
  }
  return false;
}

bool http1_head::is_hop_by_hop(std::size_t index) const noexcept {
  return fields_[index].hop_by_hop;
}

void http1_head::clear() noexcept {
  text_.clear();
  fields_.clear();
  framing_ = {};
  status_ = 0;
  method_end_ = second_begin_ = second_end_ = 0;
}

}  // namespace v0
}  // namespace strata::transport
