// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>

#include "core/http1/message_rules.hpp"
#include "core/http1/problems.hpp"
#include "core/http1/syntax.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

namespace problems = http1::problems;

const http1_problem* parse_version(std::string_view text, http1_version& version) noexcept {
  const bool shaped = text.size() == 8 && text.starts_with("HTTP/") && text[6] == '.' &&
                      http1::is_digit(text[5]) && http1::is_digit(text[7]);
  if (!shaped) return &problems::bad_version;
  if (text[5] != '1' || text[7] > '1') return &problems::other_version;
  version = text[7] == '1' ? http1_version::v1_1 : http1_version::v1_0;
  return nullptr;
}

/// Meant for the next hop only (RFC 9110 section 7.6.1), and the credentials of this hop's proxy.
constexpr std::array<std::string_view, 8> hop_by_hop_names{
    "connection",       "keep-alive", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "te",         "transfer-encoding",  "upgrade"};

bool is_hop_by_hop_name(std::string_view name) noexcept {
  for (const std::string_view known : hop_by_hop_names)
    if (http1::equal_ignoring_case(name, known)) return true;
  return false;
}

bool is_always_forwarded(std::string_view name) noexcept {
  return http1::equal_ignoring_case(name, "host") ||
         http1::equal_ignoring_case(name, "content-length");
}

}  // namespace

http1_head_parser http1_head_parser::of_requests(const http1_head_limits& bounds) {
  return {http1_kind::request, {}, bounds};
}
http1_head_parser http1_head_parser::of_responses(const http1_exchange& answered,
                                                  const http1_head_limits& bounds) {
  return {http1_kind::response, answered, bounds};
}

http1_head_parser::http1_head_parser(http1_kind kind, const http1_exchange& answered,
                                     const http1_head_limits& bounds)
    : bounds_(bounds), answered_(answered) {
  head_.kind_ = kind;
}

void http1_head_parser::restart() noexcept {
  head_.clear();
  problem_ = nullptr;
  line_begin_ = 0;
  skipped_empty_line_ = false;
  state_ = state::start_line;
}

void http1_head_parser::restart(const http1_exchange& answered) noexcept {
  restart();
  answered_ = answered;
}

std::unexpected<std::error_code> http1_head_parser::fail(const http1_problem& problem) {
  problem_ = &problem;
  state_ = state::failed;
  return std::unexpected(problems::code_of(problem));
}

result<std::size_t> http1_head_parser::receive(bytes input) {
  if (state_ == state::failed) return std::unexpected(problems::code_of(*problem_));
  std::string_view rest = as_text(input);
  while (!rest.empty() && state_ != state::done) {
    const std::size_t feed = rest.find('\n');
    const std::size_t size = feed == rest.npos ? rest.size() : feed + 1;
    if (size > bounds_.bytes - head_.text_.size())
      return fail(state_ == state::start_line && head_.kind_ == http1_kind::request
                      ? problems::long_target
                      : problems::long_head);
    head_.text_.append(rest.substr(0, size));
    rest.remove_prefix(size);
    if (feed == rest.npos) break;
    if (const http1_problem* problem = end_line()) return fail(*problem);
  }
  return input.size() - rest.size();
}

const http1_problem* http1_head_parser::end_line() {
  std::string_view line = head_.text(line_begin_, head_.text_.size() - 1);
  if (!line.ends_with('\r')) return &problems::bad_line_end;
  line.remove_suffix(1);
  if (state_ == state::start_line) {
    // One empty line before a request is a habit of old clients (RFC 9112 section 2.2).
    if (line.empty() && head_.kind_ == http1_kind::request && !skipped_empty_line_) {
      skipped_empty_line_ = true;
      head_.text_.clear();
      return nullptr;
    }
    if (const auto* problem = read_start_line(line)) return problem;
    state_ = state::fields;
  } else if (line.empty()) {
    if (const auto* problem = finish()) return problem;
    state_ = state::done;
  } else if (const auto* problem = read_field_line(line)) {
    return problem;
  }
  line_begin_ = head_.text_.size();
  return nullptr;
}

const http1_problem* http1_head_parser::read_start_line(std::string_view line) {
  return head_.kind_ == http1_kind::request ? read_request_line(line) : read_status_line(line);
}

/// RFC 9112 section 3, with exactly one space in each of the two places.
const http1_problem* http1_head_parser::read_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos) return &problems::bad_request_line;
  const std::string_view method = line.substr(0, first);
  if (!http1::is_token(method)) return &problems::bad_method;
  if (const auto* problem = parse_version(line.substr(second + 1), head_.version_)) return problem;
  if (!parse_http1_target(method, line.substr(first + 1, second - first - 1)))
    return &problems::bad_target;
  head_.method_end_ = static_cast<std::uint32_t>(first);
  head_.second_begin_ = static_cast<std::uint32_t>(first + 1);
  head_.second_end_ = static_cast<std::uint32_t>(second);
  return nullptr;
}

/// RFC 9112 section 4; the space before an empty reason may be missing, as many servers have it.
const http1_problem* http1_head_parser::read_status_line(std::string_view line) {
  if (line.size() < 12 || line[8] != ' ') return &problems::bad_status_line;
  if (const auto* problem = parse_version(line.substr(0, 8), head_.version_)) return problem;
  const auto status = http1::parse_decimal(line.substr(9, 3), 999);
  if (!status || *status < 100) return &problems::bad_status_line;
  if (line.size() > 12 && line[12] != ' ') return &problems::bad_status_line;
  const std::size_t reason = std::min<std::size_t>(13, line.size());
  if (!http1::is_field_text(line.substr(reason))) return &problems::bad_status_line;
  head_.status_ = static_cast<std::uint16_t>(*status);
  head_.second_begin_ = static_cast<std::uint32_t>(reason);
  head_.second_end_ = static_cast<std::uint32_t>(line.size());
  return nullptr;
}

/// RFC 9112 section 5. A name that ends in a blank would be another name, or none, to the next
/// reader; a line that begins with one may continue the line before, or begin a new one.
const http1_problem* http1_head_parser::read_field_line(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return &problems::folded_line;
  if (head_.fields_.size() >= bounds_.fields) return &problems::many_fields;
  const std::size_t colon = line.find(':');
  if (colon == line.npos || colon > 0xffff || !http1::is_token(line.substr(0, colon)))
    return &problems::bad_field_name;
  const std::string_view value = http1::trim(line.substr(colon + 1));
  if (!http1::is_field_text(value)) return &problems::bad_field_value;
  const auto at = static_cast<std::size_t>(value.data() - line.data());
  http1_head::stored_field field;
  field.name = static_cast<std::uint32_t>(line_begin_);
  field.name_size = static_cast<std::uint16_t>(colon);
  field.value = static_cast<std::uint32_t>(line_begin_ + at);
  field.value_end = static_cast<std::uint32_t>(line_begin_ + at + value.size());
  head_.fields_.push_back(field);
  return nullptr;
}

const http1_problem* http1_head_parser::finish() {
  http1::message about;
  about.kind = head_.kind_;
  about.version = head_.version_;
  about.answered = answered_;
  about.status = head_.status_;
  if (head_.kind_ == http1_kind::request) about.method = head_.request_line().method;
  http1::message_rules rules(about);
  for (std::size_t i = 0; i < head_.size(); ++i)
    if (const auto* problem = rules.add(head_[i])) return problem;
  if (const auto* problem = rules.finish(head_.framing_)) return problem;
  mark_hop_by_hop();
  return nullptr;
}

/// As many comparisons as there are fields times options, both bounded.
void http1_head_parser::mark_hop_by_hop() {
  for (std::size_t i = 0; i < head_.size(); ++i)
    head_.fields_[i].hop_by_hop = is_hop_by_hop_name(head_[i].name);
  for (std::size_t i = 0; i < head_.size(); ++i) {
    if (!http1::equal_ignoring_case(head_[i].name, "connection")) continue;
    http1::list_reader options(head_[i].value);
    for (std::string_view option; options.next(option);) {
      if (option.empty() || is_always_forwarded(option)) continue;
      for (std::size_t named = 0; named < head_.size(); ++named)
        if (http1::equal_ignoring_case(head_[named].name, option))
          head_.fields_[named].hop_by_hop = true;
    }
  }
}

}  // namespace v0
}  // namespace strata::transport
