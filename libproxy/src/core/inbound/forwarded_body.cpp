// SPDX-License-Identifier: Apache-2.0
#include "core/inbound/forwarded_body.hpp"

#include <algorithm>

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::http1_body;

void forwarded_body::begin(const transport::http1_framing& read, form written) noexcept {
  read_ = read;
  written_ = written;
  left_ = read.length;
  chunks_.restart();
  done_ = read.body == http1_body::none || (read.body == http1_body::length && left_ == 0);
}

void forwarded_body::append(bytes content, std::string& out) const {
  if (content.empty()) return;
  if (written_ == form::chunked) transport::append_http1_chunk_line(out, content.size());
  out.append(transport::as_text(content));
  if (written_ == form::chunked) out.append("\r\n");
}

transport::result<std::size_t> forwarded_body::receive(bytes input, std::size_t room,
                                                       std::string& out) {
  if (done_) return 0;
  const bytes fitting = input.first(std::min(input.size(), room));
  if (read_.body == http1_body::chunked) {
    const auto piece = chunks_.next(fitting);
    if (!piece) return std::unexpected(piece.error());
    append(piece->content, out);
    if (chunks_.is_done()) finish(out);
    return piece->consumed;
  }
  bytes content = fitting;
  if (read_.body == http1_body::length) {
    content =
        fitting.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, fitting.size())));
    left_ -= content.size();
  }
  append(content, out);
  if (read_.body == http1_body::length && left_ == 0) finish(out);
  return content.size();
}

void forwarded_body::finish(std::string& out) {
  if (written_ == form::chunked) transport::append_http1_chunk_line(out, 0);
  done_ = true;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
