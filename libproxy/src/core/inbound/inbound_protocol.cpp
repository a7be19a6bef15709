// SPDX-License-Identifier: Apache-2.0
#include "core/inbound/inbound_protocol.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

inbound_protocol::~inbound_protocol() = default;

void inbound_protocol::grant(const transport::address& bound) {
  write_grant(bound);
  // A BIND is answered twice: when it waits, and when somebody has come.
  const bool first = wanted_.asked == command::bind && !awaits_peer_;
  awaits_peer_ = first;
  stage_ = first ? stage::deciding : stage::granted;
}

void inbound_protocol::refuse(refusal why) {
  write_refusal(why);
  fail(error_of(why));
}

void inbound_protocol::fail(std::error_code why) noexcept {
  error_ = why;
  stage_ = stage::refused;
}

void inbound_protocol::fail_credentials() noexcept {
  rejects_credentials_ = true;
  fail(errc::authentication_failed);
}

void inbound_protocol::sent(std::size_t size) {
  sent_ += size;
  if (sent_ < output_.size()) return;
  output_.clear();
  sent_ = 0;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
