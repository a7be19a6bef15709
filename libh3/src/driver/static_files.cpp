// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/static_files.hpp"

#include <algorithm>
#include <asio/use_awaitable.hpp>
#include <charconv>
#include <optional>

#include "driver/http_date.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/page_pool.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace {

using std::chrono::floor;
using std::chrono::seconds;
using transport::errc;

/// What is read and written at a time; up to this size an answer leaves as one.
constexpr std::size_t chunk_size = exchange::max_short_body;

/// The part of a file that is sent, and the status that says so.
struct extent {
  std::uint64_t from = 0;
  std::uint64_t size = 0;
  unsigned status = 200;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// RFC 9110 section 13.1.1 and 13.1.2: a list of entity tags, or "*".
bool names_tag(std::string_view list, std::string_view tag, bool weak) {
  if (trimmed(list) == "*") return true;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view each = trimmed(list.substr(0, end));
    if (weak && each.starts_with("W/")) each.remove_prefix(2);
    if (each == tag) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

enum class range_kind { none, one, unsatisfiable };

/// RFC 9110 section 14.2. Several ranges, other units and what is malformed are ignored, as it
/// allows.
range_kind parse_range(std::string_view text, std::uint64_t size, extent& out) {
  if (!text.starts_with("bytes=") || text.find(',') != std::string_view::npos)
    return range_kind::none;
  text = trimmed(text.substr(6));
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return range_kind::none;
  const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
  if (dash == 0) {  // the last so many bytes
    if (!last) return range_kind::none;
    if (*last == 0 || size == 0) return range_kind::unsatisfiable;
    out.size = std::min(*last, size);
    out.from = size - out.size;
    return range_kind::one;
  }
  const bool open_ended = dash + 1 == text.size();
  if (!first || (!last && !open_ended) || (last && *last < *first)) return range_kind::none;
  if (*first >= size) return range_kind::unsatisfiable;
  out.from = *first;
  out.size = std::min(last.value_or(size - 1), size - 1) - *first + 1;
  return range_kind::one;
}

/// 200, or 304 or 412 when the request's conditions say so, in the order of RFC 9110
/// section 13.2.2.
unsigned judge_conditions(const field_section& fields, const document& file,
                          const std::string& tag) {
  const auto modified = floor<seconds>(file.modified());
  const auto date_of = [&](known_field id) {
    const auto text = fields.find(id);
    return text ? detail::parse_http_date(*text) : std::nullopt;
  };
  if (const auto tags = fields.find(known_field::if_match)) {
    if (!names_tag(*tags, tag, false)) return 412;
  } else if (const auto date = date_of(known_field::if_unmodified_since);
             date && modified > *date) {
    return 412;
  }
  if (const auto tags = fields.find(known_field::if_none_match))
    return names_tag(*tags, tag, true) ? 304 : 200;
  const auto date = date_of(known_field::if_modified_since);
  return date && modified <= *date ? 304 : 200;
}

/// RFC 9110 section 13.1.5: a range of what the client already has a part of, or everything.
bool allows_range(const field_section& fields, const document& file, const std::string& tag) {
  const auto condition = fields.find(known_field::if_range);
  if (!condition) return true;
  if (condition->starts_with('"')) return *condition == tag;
  return detail::parse_http_date(*condition) == floor<seconds>(file.modified());
}

void respond_status(exchange& to, unsigned status, field_section& fields) {
  fields.add("content-type", "text/plain; charset=utf-8");
  const std::string text = std::to_string(status) + "\n";
  static_cast<void>(to.respond(status, fields, text));
}

}  // namespace

struct static_files::state {
  document_root root;
  static_files_options options;
  transport::page_pool pages{chunk_size};

  asio::awaitable<void> send(exchange& to, const document& file, field_section& fields,
                             extent what);
};

static_files::static_files(std::shared_ptr<state> made) noexcept : state_(std::move(made)) {}

transport::result<static_files> static_files::open(const std::string& directory,
                                                   static_files_options options) {
  auto root = document_root::open(directory);
  if (!root) return std::unexpected(root.error());
  return static_files(
      std::make_shared<state>(state{.root = std::move(*root), .options = std::move(options)}));
}

asio::awaitable<void> static_files::operator()(exchange& to) const {
  field_section fields;
  const auto now = floor<seconds>(std::chrono::system_clock::now());
  fields.add("date", detail::format_http_date(now));
  if (to.method() != "GET" && to.method() != "HEAD") {
    fields.add("allow", "GET, HEAD");
    respond_status(to, 405, fields);
    co_return;
  }
  const auto found = state_->root.find(to.path(), state_->options.index);
  if (!found) {
    respond_status(to, found.error() == errc::invalid_argument ? 400 : 404, fields);
    co_return;
  }
  const std::string tag = found->etag();
  fields.add("etag", tag);
  fields.add("last-modified", detail::format_http_date(floor<seconds>(found->modified())));
  if (!state_->options.cache_control.empty())
    fields.add("cache-control", state_->options.cache_control);
  const unsigned status = judge_conditions(to.fields(), *found, tag);
  if (status != 200) {
    static_cast<void>(to.respond(status, fields));
    co_return;
  }
  fields.add("accept-ranges", "bytes");
  extent what{.from = 0, .size = found->size()};
  const auto range = to.fields().find(known_field::range);
  if (range && to.method() == "GET" && allows_range(to.fields(), *found, tag)) {
    const std::string total = std::to_string(found->size());
    const range_kind kind = parse_range(*range, found->size(), what);
    if (kind == range_kind::unsatisfiable) {
      fields.add("content-range", "bytes */" + total);
      respond_status(to, 416, fields);
      co_return;
    }
    if (kind == range_kind::one) {
      what.status = 206;
      const std::string last = std::to_string(what.from + what.size - 1);
      fields.add("content-range", "bytes " + std::to_string(what.from) + "-" + last + "/" + total);
    }
  }
  fields.add("content-type", found->content_type());
  co_await state_->send(to, *found, fields, what);
}

/// Holds a page only while a chunk is on its way into QUIC's buffer. A file that shrank meanwhile
/// leaves the answer short of its content-length: the stream is reset.
asio::awaitable<void> static_files::state::send(exchange& to, const document& file,
                                                field_section& fields, extent what) {
  fields.add("content-length", std::to_string(what.size));
  const bool is_head = to.method() == "HEAD";
  if (is_head || what.size == 0) {
    static_cast<void>(to.respond(what.status, fields));
    co_return;
  }
  const transport::page page = pages.borrow();
  if (what.size > chunk_size)
    co_await to.async_send_headers(what.status, fields, asio::use_awaitable);
  for (std::uint64_t sent = 0; sent < what.size;) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(chunk_size, what.size - sent));
    const transport::mutable_bytes chunk = page.span().first(size);
    const auto got = file.read(what.from + sent, chunk);
    if (!got || *got != size) {
      to.reset(error_code::internal_error);
      co_return;
    }
    if (what.size <= chunk_size) {
      static_cast<void>(to.respond(what.status, fields, transport::as_text(chunk)));
      co_return;
    }
    sent += size;
    const auto buffer = asio::buffer(chunk.data(), chunk.size());
    co_await to.async_write_body(buffer, sent == what.size, asio::use_awaitable);
  }
}

}  // namespace v0
}  // namespace strata::h3
