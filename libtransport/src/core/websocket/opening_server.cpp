// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "core/http1/syntax.hpp"
#include "core/websocket/opening_key.hpp"
#include "core/websocket/opening_rules.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_opening.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

constexpr http1_problem not_a_get{405, "an opening handshake is a GET"};
constexpr http1_problem old_version{400, "an opening handshake is of HTTP/1.1"};
constexpr http1_problem no_upgrade{426, "no upgrade to WebSocket"};
constexpr http1_problem empty_host{400, "an opening handshake names its host"};
constexpr http1_problem with_content{400, "an opening handshake has no content"};
constexpr http1_problem bad_key{400, "no Sec-WebSocket-Key, or none of 16 bytes"};
constexpr http1_problem other_websocket_version{426, "a version of WebSocket that is not 13"};
constexpr http1_problem bad_subprotocols{400, "subprotocols that are no list of different tokens"};
constexpr http1_problem many_subprotocols{431, "too many subprotocols"};

constexpr http1_problem bad_extensions{400, "extensions that are no list of such"};

/// RFC 6455 section 4.2.1. A request that is no upgrade at all is told so, whatever else it lacks.
const http1_problem* check_opening(const http1_head& head) {
  const auto key = head.find(websocket::key_field);
  const auto version = head.find(websocket::version_field);
  if (!head.has_token("Upgrade", "websocket") || !head.has_token("Connection", "upgrade"))
    return &no_upgrade;
  if (head.request_line().method != "GET") return &not_a_get;
  if (head.request_line().version != http1_version::v1_1) return &old_version;
  if (head.find("Host").value_or("").empty()) return &empty_host;
  // A reader of the content and a reader of frames would see two different things.
  if (head.framing().length != 0 || head.framing().body == http1_body::chunked)
    return &with_content;
  if (head.count(websocket::version_field) != 1 || *version != websocket::version_text)
    return &other_websocket_version;
  if (head.count(websocket::key_field) != 1 || !websocket::is_key(*key)) return &bad_key;
  for (std::size_t i = 0; i < head.size(); ++i)
    if (http1::equal_ignoring_case(head[i].name, websocket::extensions_field) &&
        !websocket::is_extension_list(head[i].value))
      return &bad_extensions;
  return nullptr;
}

const http1_problem* read_subprotocols(const http1_head& head,
                                       std::vector<std::string_view>& found) {
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (!http1::equal_ignoring_case(head[i].name, websocket::subprotocol_field)) continue;
    http1::list_reader elements(head[i].value);
    for (std::string_view element; elements.next(element);) {
      if (element.empty()) continue;
      if (!http1::is_token(element)) return &bad_subprotocols;
      if (found.size() == limits::max_websocket_subprotocols) return &many_subprotocols;
      if (std::find(found.begin(), found.end(), element) != found.end()) return &bad_subprotocols;
      found.push_back(element);
    }
  }
  return nullptr;
}

std::unexpected<std::error_code> refused_argument() {
  return std::unexpected(make_error_code(errc::invalid_argument));
}

}  // namespace

class websocket_server_opening::state {
 public:
  explicit state(const http1_head_limits& bounds)
      : parser_(http1_head_parser::of_requests(bounds)) {}

  next_action next() const;
  void sent(std::size_t size) { sent_ += size; }
  std::size_t receive(bytes input);
  void receive_end();

  const http1_head* request() const noexcept {
    return parser_.is_done() ? &parser_.head() : nullptr;
  }
  const http1_problem* problem() const noexcept { return problem_; }
  std::span<const std::string_view> subprotocols() const noexcept { return subprotocols_; }
  result<void> accept(std::string_view subprotocol, std::span<const http1_field> fields);
  result<void> refuse(const websocket_refusal& with);
  void refuse();

 private:
  enum class stage : std::uint8_t { reading, deciding, accepting, refusing, lost };

  http1_head_parser parser_;
  const http1_problem* problem_ = nullptr;
  std::error_code error_ = errc::refused;
  std::vector<std::string_view> subprotocols_;
  std::string answer_;
  std::size_t sent_ = 0;
  stage stage_ = stage::reading;
};

next_action websocket_server_opening::state::next() const {
  using enum next_action::kind_type;
  if (stage_ == stage::reading) return {need_input, {}, {}};
  if (stage_ == stage::deciding) return {need_decision, {}, {}};
  if (stage_ == stage::lost) return {failed, {}, error_};
  if (sent_ < answer_.size()) return {send, as_bytes(answer_).subspan(sent_), {}};
  if (stage_ == stage::accepting) return {done, {}, {}};
  return {failed, {}, error_};
}

std::size_t websocket_server_opening::state::receive(bytes input) {
  if (stage_ != stage::reading) return 0;
  const auto taken = parser_.receive(input);
  if (taken && !parser_.is_done()) return *taken;
  stage_ = stage::deciding;
  if (!taken) {
    problem_ = parser_.problem();
    error_ = taken.error();
    return input.size();
  }
  problem_ = check_opening(parser_.head());
  if (problem_ == nullptr) problem_ = read_subprotocols(parser_.head(), subprotocols_);
  return *taken;
}

void websocket_server_opening::state::receive_end() {
  if (stage_ != stage::reading) return;
  stage_ = stage::lost;
  error_ = parser_.is_idle() ? errc::eof : errc::truncated;
}

result<void> websocket_server_opening::state::accept(std::string_view subprotocol,
                                                     std::span<const http1_field> more) {
  if (stage_ != stage::deciding || problem_ != nullptr) return refused_argument();
  const bool offered =
      std::find(subprotocols_.begin(), subprotocols_.end(), subprotocol) != subprotocols_.end();
  if (!subprotocol.empty() && !offered) return refused_argument();
  const std::string accept = websocket::accept_of(*parser_.head().find(websocket::key_field));
  std::vector<http1_field> fields{
      {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {websocket::accept_field, accept}};
  if (!subprotocol.empty()) fields.push_back({websocket::subprotocol_field, subprotocol});
  for (const http1_field& field : more) {
    if (websocket::is_handshake_field(field.name)) return refused_argument();
    fields.push_back(field);
  }
  if (auto written = append_http1_response(answer_, 101, "Switching Protocols", fields); !written)
    return written;
  stage_ = stage::accepting;
  return {};
}

result<void> websocket_server_opening::state::refuse(const websocket_refusal& with) {
  if (stage_ != stage::deciding || with.status < 200) return refused_argument();
  const std::string length = std::to_string(with.content.size());
  std::vector<http1_field> fields(with.fields.begin(), with.fields.end());
  // Whatever the client sends after this was meant for a WebSocket.
  fields.push_back({"Connection", "close"});
  if (with.status != 204 && with.status != 304) fields.push_back({"Content-Length", length});
  if (auto written = append_http1_response(answer_, with.status, with.reason, fields); !written)
    return written;
  const bool head_only = request() != nullptr && request()->request_line().method == "HEAD";
  if (!head_only && with.status != 204 && with.status != 304) answer_.append(as_text(with.content));
  stage_ = stage::refusing;
  return {};
}

void websocket_server_opening::state::refuse() {
  const http1_field versions{websocket::version_field, websocket::version_text};
  const std::array<http1_field, 2> upgrade{{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}}};
  const http1_field allow{"Allow", "GET"};
  websocket_refusal with;
  with.status = problem_ ? problem_->status : std::uint16_t{403};
  if (problem_ == &other_websocket_version) with.fields = {&versions, 1};
  if (problem_ == &no_upgrade) with.fields = upgrade;
  if (problem_ == &not_a_get) with.fields = {&allow, 1};
  (void)refuse(with);
}

websocket_server_opening::websocket_server_opening(const http1_head_limits& bounds)
    : state_(std::make_unique<state>(bounds)) {}
websocket_server_opening::~websocket_server_opening() = default;
websocket_server_opening::websocket_server_opening(websocket_server_opening&&) noexcept = default;
websocket_server_opening& websocket_server_opening::operator=(websocket_server_opening&&) noexcept =
    default;

next_action websocket_server_opening::next() const { return state_->next(); }
void websocket_server_opening::sent(std::size_t size) { state_->sent(size); }
std::size_t websocket_server_opening::receive(bytes input) { return state_->receive(input); }
void websocket_server_opening::receive_end() { state_->receive_end(); }
const http1_head* websocket_server_opening::request() const noexcept { return state_->request(); }
const http1_problem* websocket_server_opening::problem() const noexcept {
  return state_->problem();
}
std::span<const std::string_view> websocket_server_opening::subprotocols() const noexcept {
  return state_->subprotocols();
}
result<void> websocket_server_opening::accept(std::string_view subprotocol,
                                              std::span<const http1_field> fields) {
  return state_->accept(subprotocol, fields);
}
result<void> websocket_server_opening::refuse(const websocket_refusal& with) {
  return state_->refuse(with);
}
void websocket_server_opening::refuse() { state_->refuse(); }

}  // namespace v0
}  // namespace strata::transport
