// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <asio/ip/udp.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "strata/quic/connections.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/ech_attempts.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::quic {
inline namespace v0 {
namespace {

using transport::address;
using transport::errc;

/// Whoever answers for a name must not make us knock on hundreds of doors.
constexpr std::size_t max_addresses = 16;

address from_asio(const asio::ip::udp::endpoint& from) {
  const asio::ip::address& ip = from.address();
  if (ip.is_v4()) {
    const auto octets = ip.to_v4().to_bytes();
    return {std::as_bytes(std::span(octets)), from.port()};
  }
  const auto octets = ip.to_v6().to_bytes();
  return {std::as_bytes(std::span(octets)), from.port(),
          static_cast<std::uint32_t>(ip.to_v6().scope_id())};
}

/// One target: its addresses, tried one after the other.
class dial final : public transport::driver {
 public:
  dial(const transport::ready_list& ready, endpoint& from, const dialer_options& options,
       transport::target where)
      : ready_(ready),
        endpoint_(&from),
        config_(options.connection),
        server_name_(options.server_name.empty() ? where.host() : options.server_name),
        where_(std::move(where)),
        resolver_(std::in_place, ready.executor()) {
    const auto& tls = config_.tls ? config_.tls : from.client_tls();
    if (tls) ech_.emplace(*tls, options.ech);
  }

  void start(transport::completion<transport::connection_signature> waiting) {
    waiting_.start(std::move(waiting), [weak = weak_from_this()] {
      if (const auto self = std::static_pointer_cast<dial>(weak.lock())) self->abort();
    });
    if (!where_.is_valid()) return finish(errc::invalid_argument, nullptr);
    if (!where_.is_name()) {
      addresses_.push_back(where_.ip());
      return dial_next();
    }
    resolver_->async_resolve(
        where_.name(), std::to_string(where_.port()), asio::ip::resolver_base::numeric_service,
        [self = self()](std::error_code error, const asio::ip::udp::resolver::results_type& found) {
          if (self->waiting_) self->on_resolved(error, found);
        });
  }

  void abort() noexcept {
    if (waiting_) finish(errc::aborted, nullptr);
  }

 private:
  void shutdown() noexcept override {
    const auto waiting = waiting_.take();
    resolver_.reset();
    endpoint_ = nullptr;
  }

  std::shared_ptr<dial> self() { return std::static_pointer_cast<dial>(shared_from_this()); }

  void on_resolved(std::error_code error, const asio::ip::udp::resolver::results_type& found) {
    const bool only_v4 = endpoint_->local_address().is_v4();
    for (const auto& entry : found) {
      const address each = from_asio(entry.endpoint());
      const bool known = std::ranges::find(addresses_, each) != addresses_.end();
      if (!known && (each.is_v4() || !only_v4) && addresses_.size() < max_addresses)
        addresses_.push_back(each);
    }
    if (error || addresses_.empty()) return finish(errc::name_not_found, nullptr);
    dial_next();
  }

  void dial_next() {
    ++started_;
    dial_again();
  }

  void dial_again() {
    const address& remote = addresses_[started_ - 1];
    endpoint_->async_connect(remote, server_name_, config_,
                             [self = self()](std::error_code error, connection made) {
                               if (self->waiting_) self->on_dialled(error, std::move(made));
                             });
  }

  void on_dialled(std::error_code error, connection made) {
    if (!error) return finish({}, make_transport_connection(std::move(made)));
    if (made && ech_) {
      const transport::tls_ech_outcome ech = made.security().ech;
      if (ech_->again(ech.status, ech.retry_configs)) {
        config_.tls = ech_->context();
        return dial_again();
      }
    }
    if (!first_) first_ = error;
    // A certificate that is not believed is an answer, and so is a refusal of ECH: no other address
    // is to be asked.
    if (error == errc::certificate_rejected || error == errc::ech_rejected)
      return finish(error, nullptr);
    if (started_ == addresses_.size()) return finish(first_, nullptr);
    dial_next();
  }

  void finish(std::error_code error, std::unique_ptr<transport::connection> made) {
    ready_.complete(waiting_.take(), error, std::move(made));
    if (resolver_) resolver_->cancel();
  }

  transport::ready_list ready_;
  endpoint* endpoint_;
  core::connection_config config_;
  std::optional<transport::ech_attempts> ech_;
  std::string server_name_;
  transport::target where_;
  std::optional<asio::ip::udp::resolver> resolver_;
  std::vector<address> addresses_;
  std::size_t started_ = 0;
  std::error_code first_;
  transport::pending_operation<transport::connection_signature> waiting_;
};

}  // namespace

class endpoint_dialer::dials {
 public:
  dials(endpoint& from, dialer_options chosen)
      : ready(from.get_executor()), dialled_from(from), options(std::move(chosen)) {}

  transport::ready_list ready;
  endpoint& dialled_from;
  dialer_options options;
  std::vector<std::weak_ptr<dial>> under_way;
};

endpoint_dialer::endpoint_dialer(endpoint& from, dialer_options options)
    : dials_(std::make_unique<dials>(from, std::move(options))) {}

endpoint_dialer::~endpoint_dialer() {
  for (const auto& weak : dials_->under_way) {
    if (const auto one = weak.lock()) one->abort();
  }
}

asio::any_io_executor endpoint_dialer::do_executor() noexcept { return dials_->ready.executor(); }

void endpoint_dialer::do_dial(const transport::target& where,
                              transport::completion<transport::connection_signature> waiting) {
  if (!dials_->ready.executor()) return;
  std::erase_if(dials_->under_way, [](const std::weak_ptr<dial>& one) { return one.expired(); });
  const auto one = transport::make_driver<dial>(dials_->ready.executor(), dials_->ready,
                                                dials_->dialled_from, dials_->options, where);
  dials_->under_way.push_back(one);
  one->start(std::move(waiting));
}

}  // namespace v0
}  // namespace strata::quic
