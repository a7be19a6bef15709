// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/doh_message.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

std::unexpected<std::error_code> fail(errc why) { return std::unexpected(make_error_code(why)); }

std::string encode_base64url(bytes input) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned gathered = 0;
  unsigned bits = 0;
  for (const std::byte each : input) {
    gathered = (gathered << 8 | std::to_integer<unsigned>(each)) & 0xffff;
    for (bits += 8; bits >= 6; bits -= 6) out += alphabet[gathered >> (bits - 6) & 63];
  }
  if (bits != 0) out += alphabet[gathered << (6 - bits) & 63];
  return out;
}

bool is_dns_message(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter;
  };
  return std::ranges::equal(type, doh_media_type, {}, lower);
}

}  // namespace

std::string doh_path(std::string_view path, bytes query) {
  std::string out(path);
  out += path.find('?') == std::string_view::npos ? "?dns=" : "&dns=";
  return out + encode_base64url(query);
}

result<std::chrono::seconds> judge_doh_reply(const doh_reply_fields& fields) {
  if (fields.status != 200) return fail(errc::name_server_failed);
  if (!is_dns_message(fields.content_type)) return fail(errc::protocol_error);
  std::uint32_t age = 0;
  const char* const end = fields.age.data() + fields.age.size();
  const auto [stop, failure] = std::from_chars(fields.age.data(), end, age);
  // RFC 9111 section 1.2.2: what is too large to count is as old as can be.
  if (failure == std::errc::result_out_of_range) return std::chrono::hours(24 * 365);
  if (fields.age.empty() || failure != std::errc() || stop != end) return std::chrono::seconds(0);
  return std::chrono::seconds(age);
}

result<void> append_doh_request(std::string& out, const doh_request_line& line, bytes query) {
  const std::string length = std::to_string(query.size());
  const std::array<http1_field, 4> fields = {{{"Host", line.authority},
                                              {"Accept", doh_media_type},
                                              {"Content-Type", doh_media_type},
                                              {"Content-Length", length}}};
  const bool posts = !query.empty();
  const auto head = append_http1_request(out, posts ? "POST" : "GET", line.path,
                                         std::span(fields).first(posts ? 4 : 2));
  if (head) out += as_text(query);
  return head;
}

result<std::size_t> doh_reply_reader::receive(bytes input) {
  std::size_t taken = 0;
  while (!is_done_ && taken < input.size()) {
    const bytes rest = input.subspan(taken);
    const auto step = head_.is_done() ? receive_content(rest) : receive_head(rest);
    if (!step) return step;
    taken += *step;
  }
  return taken;
}

result<std::size_t> doh_reply_reader::receive_head(bytes input) {
  const auto taken = head_.receive(input);
  if (!taken || !head_.is_done()) return taken;
  const unsigned status = head_.head().status_line().status;
  if (status >= 100 && status < 200) {
    if (++interim_ > limits::max_doh_interim_responses) return fail(errc::limit_exceeded);
    head_.restart();
    return taken;
  }
  if (const auto begun = begin_content(); !begun) return std::unexpected(begun.error());
  return taken;
}

result<void> doh_reply_reader::begin_content() {
  const http1_head& head = head_.head();
  const auto age = judge_doh_reply({.status = head.status_line().status,
                                    .content_type = head.find("Content-Type").value_or(""),
                                    .age = head.find("Age").value_or("")});
  if (!age) return std::unexpected(age.error());
  age_ = *age;
  const http1_framing framing = head.framing();
  left_ = framing.length;
  if (framing.body == http1_body::length && left_ > limits::max_dns_message)
    return fail(errc::message_too_large);
  if (framing.body == http1_body::tunnel) return fail(errc::protocol_error);
  is_done_ = framing.body == http1_body::none || (framing.body == http1_body::length && left_ == 0);
  return {};
}

result<std::size_t> doh_reply_reader::receive_content(bytes input) {
  switch (head_.head().framing().body) {
    case http1_body::length: {
      const bytes content = input.first(std::min<std::uint64_t>(left_, input.size()));
      left_ -= content.size();
      is_done_ = left_ == 0;
      message_.insert(message_.end(), content.begin(), content.end());
      return content.size();
    }
    case http1_body::chunked: {
      const auto piece = chunks_.next(input);
      if (!piece) return std::unexpected(piece.error());
      if (const auto added = append(piece->content); !added) return std::unexpected(added.error());
      is_done_ = chunks_.is_done();
      return piece->consumed;
    }
    default:
      if (const auto added = append(input); !added) return std::unexpected(added.error());
      return input.size();
  }
}

result<void> doh_reply_reader::append(bytes content) {
  if (message_.size() + content.size() > limits::max_dns_message)
    return fail(errc::message_too_large);
  message_.insert(message_.end(), content.begin(), content.end());
  return {};
}

result<void> doh_reply_reader::receive_end() {
  if (is_done_) return {};
  if (!head_.is_done() || head_.head().framing().body != http1_body::until_close)
    return fail(errc::truncated);
  is_done_ = true;
  return {};
}

}  // namespace v0
}  // namespace strata::transport
