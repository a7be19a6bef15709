// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/inbound_opening.hpp"

#include "core/inbound/http_inbound.hpp"
#include "core/inbound/socks4_inbound.hpp"
#include "core/inbound/socks5_inbound.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::next_action;

namespace {

/// A method begins with a letter; before it one empty line is allowed (RFC 9112 section 2.2).
bool begins_http(std::byte first) noexcept {
  const auto octet = std::to_integer<char>(first);
  return octet == '\r' || (octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z');
}

}  // namespace

class inbound_opening::state {
 public:
  explicit state(const inbound_config& config) : config_(config) {}

  next_action next() const;
  void sent(std::size_t size) {
    if (spoken_) spoken_->sent(size);
  }
  std::size_t receive(bytes input);
  void receive_end();

  bool is_idle() const noexcept { return !spoken_ && !error_; }
  bool is_deciding() const noexcept {
    return spoken_ && spoken_->at() == inbound_protocol::stage::deciding;
  }
  const inbound_protocol* spoken() const noexcept { return spoken_.get(); }
  inbound_protocol* spoken() noexcept { return spoken_.get(); }
  const http_inbound* http() const noexcept { return http_; }
  http_inbound* http() noexcept { return http_; }

 private:
  bool detect(std::byte first);

  inbound_config config_;
  std::unique_ptr<inbound_protocol> spoken_;
  http_inbound* http_ = nullptr;  // spoken_, when it is HTTP
  std::error_code error_;
};

next_action inbound_opening::state::next() const {
  using enum next_action::kind_type;
  if (error_) return {failed, {}, error_};
  if (!spoken_) return {need_input, {}, {}};
  if (!spoken_->output().empty()) return {send, spoken_->output(), {}};
  switch (spoken_->at()) {
    case inbound_protocol::stage::reading: return {need_input, {}, {}};
    case inbound_protocol::stage::deciding: return {need_decision, {}, {}};
    case inbound_protocol::stage::granted: return {done, {}, {}};
    case inbound_protocol::stage::refused: break;
  }
  return {failed, {}, spoken_->error()};
}

bool inbound_opening::state::detect(std::byte first) {
  if (first == std::byte{4} && config_.socks4) {
    spoken_ = std::make_unique<socks4_inbound>(config_);
  } else if (first == std::byte{5} && config_.socks5) {
    spoken_ = std::make_unique<socks5_inbound>(config_);
  } else if (begins_http(first) && config_.http) {
    auto made = std::make_unique<http_inbound>(config_);
    http_ = made.get();
    spoken_ = std::move(made);
  } else {
    error_ = errc::unknown_protocol;
  }
  return spoken_ != nullptr;
}

std::size_t inbound_opening::state::receive(bytes input) {
  if (input.empty() || error_) return 0;
  if (!spoken_ && !detect(input.front())) return 0;
  if (spoken_->at() != inbound_protocol::stage::reading) return 0;
  return spoken_->receive(input);
}

/// Behind a whole request the end is the tunnel's.
void inbound_opening::state::receive_end() {
  if (error_) return;
  if (!spoken_)
    error_ = transport::errc::eof;
  else if (spoken_->at() == inbound_protocol::stage::reading)
    spoken_->fail(transport::errc::truncated);
}

inbound_opening::inbound_opening(const inbound_config& config)
    : state_(std::make_unique<state>(config)) {}
inbound_opening::~inbound_opening() = default;
inbound_opening::inbound_opening(inbound_opening&&) noexcept = default;
inbound_opening& inbound_opening::operator=(inbound_opening&&) noexcept = default;

next_action inbound_opening::next() const { return state_->next(); }
void inbound_opening::sent(std::size_t size) { state_->sent(size); }
std::size_t inbound_opening::receive(bytes input) { return state_->receive(input); }
void inbound_opening::receive_end() { state_->receive_end(); }

const request& inbound_opening::wanted() const noexcept {
  static const request nothing;
  return state_->spoken() ? state_->spoken()->wanted() : nothing;
}

const transport::http1_head* inbound_opening::head() const noexcept {
  return state_->http() ? state_->http()->head() : nullptr;
}

bool inbound_opening::rejects_credentials() const noexcept {
  return state_->spoken() && state_->spoken()->rejects_credentials();
}

bool inbound_opening::is_idle() const noexcept { return state_->is_idle(); }

void inbound_opening::accept(const transport::address& bound) {
  if (state_->is_deciding()) state_->spoken()->grant(bound);
}

void inbound_opening::refuse(refusal why) {
  if (state_->is_deciding()) state_->spoken()->refuse(why);
}

void inbound_opening::answer(std::string_view content_type, bytes content) {
  if (state_->is_deciding() && wanted().asked == command::page)
    state_->http()->answer(content_type, content);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
