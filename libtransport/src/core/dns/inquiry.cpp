// SPDX-License-Identifier: Apache-2.0
#include "core/dns/inquiry.hpp"

#include <algorithm>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {
namespace {

constexpr std::uint16_t datagram_size = 1232;
constexpr std::uint16_t padding_block = 128;

}  // namespace

inquiry::inquiry(dns_question asked, const inquiry_options& options, random_source& random)
    : question_(std::move(asked)), name_(question_.name), options_(options), random_(random) {
  if (options_.paths.empty() || options_.rounds == 0) fail(errc::name_server_failed);
}

bool inquiry::poll_query(time_point now, query& out) {
  if (is_done_) return false;
  if (started_ == 0) start_next(now);
  if (sent_ == attempts_.size()) return false;
  const attempt& next = attempts_[sent_];
  out = {static_cast<std::uint32_t>(sent_), next.route, next.message};
  ++sent_;
  return true;
}

void inquiry::receive(time_point now, std::uint32_t which, bytes message,
                      std::chrono::seconds age) {
  if (!is_open(which)) return;
  attempt& asked = attempts_[which];
  const auto response = decode_dns_message(message);
  const bool is_datagram = kind_of(asked).is_datagram && !asked.route.by_stream;
  if (response && matches(asked, *response)) return judge(now, asked, *response, age);
  if (is_datagram) return mismatch(now, asked);
  give_up(now, asked, errc::name_server_failed);
}

void inquiry::failed(time_point now, std::uint32_t which, std::error_code error) {
  if (is_open(which)) give_up(now, attempts_[which], error);
}

void inquiry::handle_timeout(time_point now) {
  if (is_done_ || attempts_.empty() || now < due_) return;
  if (!error_) error_ = make_error_code(errc::timed_out);
  start_next(now);
}

std::optional<time_point> inquiry::next_timeout() const noexcept {
  if (is_done_ || attempts_.empty()) return std::nullopt;
  return due_;
}

bool inquiry::is_open(std::uint32_t which) const noexcept {
  return !is_done_ && which < sent_ && attempts_[which].is_open;
}

bool inquiry::matches(const attempt& of, const dns_message& response) const noexcept {
  if (!answers(response, of.asked, of.id)) return false;
  return !options_.shuffles_case || kind_of(of).is_encrypted ||
         response.question->name.is_exactly(of.asked.name);
}

/// The next turn of a path, or the end.
void inquiry::start_next(time_point now) {
  const std::size_t turns = options_.rounds * options_.paths.size();
  if (started_ == turns) return fail(error_);
  const std::size_t round = started_ / options_.paths.size();
  const std::size_t path = started_ % options_.paths.size();
  ++started_;
  start(now, {path, false});
  due_ = now + options_.attempt_timeout * (1 << std::min<std::size_t>(round, 8));
}

void inquiry::start(time_point now, attempt_route route) {
  if (attempts_.size() == limits::max_dns_attempts) return fail(errc::name_server_failed);
  const path_kind& kind = options_.paths[route.path];
  attempt next{.route = route, .asked = question_};
  next.asked.name = name_;
  next.has_extension = has_extension_ || kind.is_encrypted;
  dns_query_options how;
  how.payload_size = next.has_extension ? datagram_size : std::uint16_t{0};
  if (kind.is_encrypted) {
    how.padding_block = padding_block;
  } else {
    how.id = next.id = static_cast<std::uint16_t>(random_.below(0x10000));
    if (options_.shuffles_case) next.asked.name = name_.shuffled_case(random_);
  }
  next.message = encode_dns_query(next.asked, how);
  attempts_.push_back(std::move(next));
  due_ = now + options_.attempt_timeout;
}

/// Of one attempt; the next begins when it was the last one.
void inquiry::give_up(time_point now, attempt& which, std::error_code why) {
  which.is_open = false;
  // What a server did says more than that others were silent.
  if (!error_ || error_ == errc::timed_out) error_ = why;
  if (&which == &attempts_.back()) start_next(now);
}

/// So many answers to what was not asked are no accident: ask where nobody can join in.
void inquiry::mismatch(time_point now, attempt& which) {
  if (++which.mismatches < limits::max_dns_mismatches) return;
  if (!kind_of(which).has_stream) return give_up(now, which, errc::name_server_failed);
  which.is_open = false;
  start(now, {which.route.path, true});
}

void inquiry::judge(time_point now, attempt& which, const dns_message& response,
                    std::chrono::seconds age) {
  const attempt_route route = which.route;
  const bool is_datagram = kind_of(which).is_datagram && !route.by_stream;
  if (response.header.truncated) {
    if (!is_datagram || !kind_of(which).has_stream)
      return give_up(now, which, errc::name_server_failed);
    which.is_open = false;
    return start(now, {route.path, true});
  }
  using enum dns_response_code;
  switch (response.response_code) {
    case no_error:
    case name_error: break;
    case format_error:
    case not_implemented:
    case bad_version:
      // RFC 6891 section 7: a server from before EDNS.
      if (which.has_extension && !kind_of(which).is_encrypted) {
        which.is_open = false;
        has_extension_ = false;
        return start(now, route);
      }
      [[fallthrough]];
    default: return give_up(now, which, errc::name_server_failed);
  }
  dns_question asked = which.asked;
  asked.name = name_;
  reading found = read_answer(response, asked);
  aliases_ += found.aliases;
  if (found.error || aliases_ > limits::max_dns_aliases) return fail(errc::limit_exceeded);
  const auto left = found.answer.ttl - std::min(found.answer.ttl, age);
  ttl_ = std::min(ttl_, left);
  if (!found.is_unfinished) {
    found.answer.ttl = ttl_;
    return finish(std::move(found.answer));
  }
  for (attempt& each : attempts_) each.is_open = false;
  name_ = found.answer.canonical;
  start(now, {route.path, false});
}

void inquiry::finish(dns_answer answer) {
  is_done_ = true;
  error_ = {};
  answer_ = std::move(answer);
}

void inquiry::fail(std::error_code why) {
  is_done_ = true;
  error_ = why;
}

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
