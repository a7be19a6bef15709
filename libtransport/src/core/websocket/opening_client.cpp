// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/http1/syntax.hpp"
#include "core/websocket/opening_key.hpp"
#include "core/websocket/opening_rules.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_opening.hpp"

namespace strata::transport {
inline namespace v0 {

class websocket_client_opening::state {
 public:
  state(const websocket_request& request, random_source& random);

  next_action next() const;
  void sent(std::size_t size);
  std::size_t receive(bytes input);
  void fail(errc why);

  const http1_head* response() const noexcept { return final_ ? &parser_.head() : nullptr; }
  std::string_view subprotocol() const noexcept { return subprotocol_; }

 private:
  bool write_request(const websocket_request& request);
  void on_response();
  bool is_opening(const http1_head& head);
  bool read_subprotocol(const http1_head& head);

  std::string key_;
  std::string request_;
  std::size_t sent_ = 0;
  std::vector<std::string> offered_;
  std::string subprotocol_;
  http1_head_parser parser_ = http1_head_parser::of_responses({.upgrade = true});
  unsigned interim_ = 0;
  bool final_ = false;
  bool done_ = false;
  std::error_code error_;
};

websocket_client_opening::state::state(const websocket_request& request, random_source& random)
    : key_(websocket::make_key(random)), offered_(request.subprotocols) {
  if (!write_request(request)) fail(errc::invalid_argument);
}

bool websocket_client_opening::state::write_request(const websocket_request& request) {
  std::string offered;
  for (const std::string& subprotocol : offered_) {
    if (!http1::is_token(subprotocol) ||
        std::count(offered_.begin(), offered_.end(), subprotocol) != 1)
      return false;
    offered.append(offered.empty() ? "" : ", ").append(subprotocol);
  }
  if (request.authority.empty() || offered_.size() > limits::max_websocket_subprotocols)
    return false;
  std::vector<http1_field> fields{{"Host", request.authority},
                                  {"Upgrade", "websocket"},
                                  {"Connection", "Upgrade"},
                                  {websocket::key_field, key_},
                                  {websocket::version_field, websocket::version_text}};
  if (!request.origin.empty()) fields.push_back({"Origin", request.origin});
  if (!offered.empty()) fields.push_back({websocket::subprotocol_field, offered});
  for (const auto& [name, value] : request.fields) {
    if (websocket::is_handshake_field(name)) return false;
    fields.push_back({name, value});
  }
  return request.path.starts_with('/') &&
         append_http1_request(request_, "GET", request.path, fields).has_value();
}

next_action websocket_client_opening::state::next() const {
  if (error_) return {next_action::kind_type::failed, {}, error_};
  if (done_) return {next_action::kind_type::done, {}, {}};
  if (sent_ < request_.size())
    return {next_action::kind_type::send, as_bytes(request_).subspan(sent_), {}};
  return {};
}

void websocket_client_opening::state::sent(std::size_t size) { sent_ += size; }

void websocket_client_opening::state::fail(errc why) {
  if (!error_ && !done_) error_ = why;
}

std::size_t websocket_client_opening::state::receive(bytes input) {
  std::size_t taken = 0;
  while (taken < input.size() && !done_ && !error_) {
    const auto read = parser_.receive(input.subspan(taken));
    if (!read) {
      error_ = read.error();
      break;
    }
    taken += *read;
    if (parser_.is_done()) on_response();
  }
  return taken;
}

void websocket_client_opening::state::on_response() {
  const http1_head& head = parser_.head();
  const std::uint16_t status = head.status_line().status;
  if (status < 200 && status != 101) {
    if (++interim_ > limits::max_websocket_interim_responses) return fail(errc::limit_exceeded);
    return parser_.restart();
  }
  final_ = true;
  if (status != 101) return fail(errc::refused);
  // An acceptance of a request that is not out yet is not of this one.
  if (sent_ < request_.size() || !is_opening(head)) return fail(errc::protocol_error);
  done_ = true;
}

/// RFC 6455 section 4.1, what a client must check; each field once, or two readers may take two
/// different ones.
bool websocket_client_opening::state::is_opening(const http1_head& head) {
  const auto upgrade = head.find("Upgrade");
  const auto accept = head.find(websocket::accept_field);
  if (head.status_line().version != http1_version::v1_1) return false;
  if (head.count("Upgrade") != 1 || !http1::equal_ignoring_case(*upgrade, "websocket"))
    return false;
  if (!head.has_token("Connection", "upgrade")) return false;
  if (head.count(websocket::accept_field) != 1 ||
      !websocket::is_accept(*accept, websocket::accept_of(key_)))
    return false;
  // None was offered, so none may be chosen.
  if (head.count(websocket::extensions_field) != 0) return false;
  return read_subprotocol(head);
}

bool websocket_client_opening::state::read_subprotocol(const http1_head& head) {
  const auto chosen = head.find(websocket::subprotocol_field);
  if (!chosen) return true;
  if (head.count(websocket::subprotocol_field) != 1 ||
      std::find(offered_.begin(), offered_.end(), *chosen) == offered_.end())
    return false;
  subprotocol_ = *chosen;
  return true;
}

websocket_client_opening::websocket_client_opening(const websocket_request& request,
                                                   random_source& random)
    : state_(std::make_unique<state>(request, random)) {}
websocket_client_opening::~websocket_client_opening() = default;
websocket_client_opening::websocket_client_opening(websocket_client_opening&&) noexcept = default;
websocket_client_opening& websocket_client_opening::operator=(websocket_client_opening&&) noexcept =
    default;

next_action websocket_client_opening::next() const { return state_->next(); }
void websocket_client_opening::sent(std::size_t size) { state_->sent(size); }
std::size_t websocket_client_opening::receive(bytes input) { return state_->receive(input); }
void websocket_client_opening::receive_end() { state_->fail(errc::truncated); }
const http1_head* websocket_client_opening::response() const noexcept { return state_->response(); }
std::string_view websocket_client_opening::subprotocol() const noexcept {
  return state_->subprotocol();
}

}  // namespace v0
}  // namespace strata::transport
