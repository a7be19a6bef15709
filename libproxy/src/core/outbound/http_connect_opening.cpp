// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "core/basic_credentials.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/proxy/core/outbound_opening.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::http1_field;
using transport::http1_head_parser;
using transport::next_action;

class http_connect_opening::state {
 public:
  state(const transport::target& where, const std::optional<credentials>& who);

  next_action next() const;
  void sent(std::size_t size) { sent_ = std::min(sent_ + size, request_.size()); }
  std::size_t receive(bytes input);
  void fail(std::error_code why) noexcept {
    if (!error_ && !done_) error_ = why;
  }
  unsigned status() const noexcept { return status_; }

 private:
  bool write_request(const transport::target& where, const std::optional<credentials>& who);
  void read_response();
  std::error_code error_of_status() const noexcept;

  http1_head_parser parser_ = http1_head_parser::of_responses({.connect = true});
  std::string request_;
  std::size_t sent_ = 0;
  std::error_code error_;
  unsigned interim_ = 0;
  unsigned status_ = 0;
  bool has_credentials_;
  bool done_ = false;
};

http_connect_opening::state::state(const transport::target& where,
                                   const std::optional<credentials>& who)
    : has_credentials_(who.has_value()) {
  if (!write_request(where, who)) fail(transport::errc::invalid_argument);
}

bool http_connect_opening::state::write_request(const transport::target& where,
                                                const std::optional<credentials>& who) {
  if (!where.is_valid()) return false;
  const std::string authority = where.string();
  std::vector<http1_field> fields{{"Host", authority}};
  std::optional<std::string> login;
  if (who) {
    login = encode_basic_credentials(who->user, who->password);
    if (!login) return false;
    fields.push_back({"Proxy-Authorization", *login});
  }
  return transport::append_http1_request(request_, "CONNECT", authority, fields).has_value();
}

next_action http_connect_opening::state::next() const {
  using enum next_action::kind_type;
  if (error_) return {failed, {}, error_};
  if (done_) return {done, {}, {}};
  if (sent_ < request_.size()) return {send, transport::as_bytes(request_).subspan(sent_), {}};
  return {need_input, {}, {}};
}

std::size_t http_connect_opening::state::receive(bytes input) {
  std::size_t taken = 0;
  while (taken < input.size() && !done_ && !error_) {
    const auto read = parser_.receive(input.subspan(taken));
    if (!read) {
      fail(transport::errc::protocol_error);
      return input.size();
    }
    taken += *read;
    if (parser_.is_done()) read_response();
  }
  return taken;
}

/// The parser has seen to it that a 2xx has no content, whatever it says, and that there is no 101.
void http_connect_opening::state::read_response() {
  const unsigned status = parser_.head().status_line().status;
  if (status < 200) {
    if (++interim_ > limits::max_connect_interim_responses)
      return fail(transport::errc::protocol_error);
    return parser_.restart();
  }
  status_ = status;
  if (status >= 300) return fail(error_of_status());
  // A tunnel that is granted before it was asked for leads somewhere else.
  if (sent_ < request_.size()) return fail(transport::errc::protocol_error);
  done_ = true;
}

std::error_code http_connect_opening::state::error_of_status() const noexcept {
  switch (status_) {
    case 403: return errc::not_allowed;
    case 405:
    case 501: return errc::command_not_supported;
    case 407: return has_credentials_ ? errc::authentication_failed : errc::authentication_required;
    case 504: return transport::errc::timed_out;
    default: return errc::upstream_failed;
  }
}

http_connect_opening::http_connect_opening(const transport::target& where,
                                           const std::optional<credentials>& who)
    : state_(std::make_unique<state>(where, who)) {}
http_connect_opening::~http_connect_opening() = default;
http_connect_opening::http_connect_opening(http_connect_opening&&) noexcept = default;
http_connect_opening& http_connect_opening::operator=(http_connect_opening&&) noexcept = default;

next_action http_connect_opening::next() const { return state_->next(); }
void http_connect_opening::sent(std::size_t size) { state_->sent(size); }
std::size_t http_connect_opening::receive(bytes input) { return state_->receive(input); }
void http_connect_opening::receive_end() { state_->fail(transport::errc::truncated); }
unsigned http_connect_opening::status() const noexcept { return state_->status(); }

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
