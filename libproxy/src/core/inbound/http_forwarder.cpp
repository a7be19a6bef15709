// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/http_forwarder.hpp"

#include "core/inbound/forwarder_state.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;

http_forwarder::http_forwarder(const http_forwarder_config& config,
                               const transport::http1_head& first, std::string_view user)
    : state_(std::make_unique<state>(config, first, user)) {}
http_forwarder::~http_forwarder() = default;
http_forwarder::http_forwarder(http_forwarder&&) noexcept = default;
http_forwarder& http_forwarder::operator=(http_forwarder&&) noexcept = default;

const request* http_forwarder::wanted() const noexcept { return state_->wanted(); }
void http_forwarder::connected() { state_->connected(); }
void http_forwarder::refuse(refusal why) { state_->refuse(why); }
bool http_forwarder::origin_reusable() const noexcept { return state_->origin_reusable(); }

bool http_forwarder::wants_client() const noexcept { return state_->wants_client(); }
std::size_t http_forwarder::receive_client(bytes input) { return state_->receive_client(input); }
void http_forwarder::end_client() { state_->end_client(); }
bool http_forwarder::wants_origin() const noexcept { return state_->wants_origin(); }
std::size_t http_forwarder::receive_origin(bytes input) { return state_->receive_origin(input); }
void http_forwarder::end_origin(bool in_order) { state_->end_origin(in_order); }

bytes http_forwarder::to_client() const noexcept { return state_->to_client(); }
void http_forwarder::sent_to_client(std::size_t size) { state_->sent_to_client(size); }
bytes http_forwarder::to_origin() const noexcept { return state_->to_origin(); }
void http_forwarder::sent_to_origin(std::size_t size) { state_->sent_to_origin(size); }

bool http_forwarder::finished() const noexcept { return state_->finished(); }
bool http_forwarder::broken() const noexcept { return state_->broken(); }
bool http_forwarder::rejects_credentials() const noexcept { return state_->rejects_credentials(); }
bool http_forwarder::is_idle() const noexcept { return state_->is_idle(); }
bool http_forwarder::is_reading_head() const noexcept { return state_->is_reading_head(); }
std::uint64_t http_forwarder::request_count() const noexcept { return state_->request_count(); }

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
