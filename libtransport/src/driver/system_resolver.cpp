// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/system_resolver.hpp"

#include <algorithm>
#include <asio/ip/tcp.hpp>
#include <utility>
#include <vector>

#include "driver/asio_address.hpp"
#include "driver/tcp_error.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/target.hpp"

namespace strata::transport {
inline namespace v0 {

class system_resolver::state final : public driver {
 public:
  explicit state(const ready_list& ready) : ready_(ready) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }

  void resolve(const std::string& host, const resolve_options& wanted,
               completion<resolve_signature> waiting) {
    if (dead_) return;
    const target asked(host, wanted.port);
    if (!asked.is_name()) return finish(std::move(waiting), {asked.ip().with_port(0)});
    if (!asked.is_valid()) return fail(std::move(waiting), make_error_code(errc::invalid_argument));
    begin(host, wanted, std::move(waiting));
  }

  void abort_all() noexcept {
    for (const auto all = lookups_; const auto& each : all) abort(each);
  }

 private:
  struct lookup {
    explicit lookup(const asio::any_io_executor& executor) : system(executor) {}
    asio::ip::tcp::resolver system;
    pending_operation<resolve_signature> waiting;
  };

  void shutdown() noexcept override {
    dead_ = true;
    const auto all = std::exchange(lookups_, {});
    for (const auto& each : all) each->waiting.take();
  }

  void begin(const std::string& host, const resolve_options& wanted,
             completion<resolve_signature> waiting) {
    const auto made = std::make_shared<lookup>(ready_.executor());
    lookups_.push_back(made);
    made->waiting.start(std::move(waiting), [weak = weak_from_this(), one = std::weak_ptr(made)] {
      const auto self = std::static_pointer_cast<state>(weak.lock());
      const auto held = one.lock();
      if (self && held) self->abort(held);
    });
    made->system.async_resolve(
        host, "0", asio::ip::tcp::resolver::numeric_service,
        [self = std::static_pointer_cast<state>(shared_from_this()), made, wanted](
            const std::error_code& error, const asio::ip::tcp::resolver::results_type& found) {
          self->found(made, wanted, error, found);
        });
  }

  void found(const std::shared_ptr<lookup>& which, const resolve_options& wanted,
             const std::error_code& error, const asio::ip::tcp::resolver::results_type& results) {
    if (dead_ || !which->waiting) return;
    std::erase(lookups_, which);
    if (error) return fail(which->waiting.take(), from_system_error(error));
    std::vector<address> addresses;
    for (const auto& entry : results) {
      const address each = to_address(entry.endpoint());
      const bool fits = each.is_v4() ? wanted.ipv4 : wanted.ipv6;
      if (fits && std::ranges::find(addresses, each) == addresses.end()) addresses.push_back(each);
    }
    if (addresses.empty())
      return fail(which->waiting.take(), make_error_code(errc::name_not_found));
    finish(which->waiting.take(), std::move(addresses));
  }

  void finish(completion<resolve_signature> waiting, std::vector<address> addresses) {
    auto made = std::make_unique<resolution>();
    made->addresses = std::move(addresses);
    ready_.complete(std::move(waiting), std::error_code(), std::move(made));
  }

  void fail(completion<resolve_signature> waiting, std::error_code why) {
    ready_.complete(std::move(waiting), why, std::unique_ptr<resolution>());
  }

  void abort(const std::shared_ptr<lookup>& which) noexcept {
    std::erase(lookups_, which);
    if (which->waiting) fail(which->waiting.take(), make_error_code(errc::aborted));
    which->system.cancel();
  }

  ready_list ready_;
  std::vector<std::shared_ptr<lookup>> lookups_;
  bool dead_ = false;
};

system_resolver::system_resolver(const asio::any_io_executor& executor) {
  const ready_list ready(executor);
  state_ = make_driver<state>(executor, ready);
}

system_resolver::~system_resolver() { state_->abort_all(); }
asio::any_io_executor system_resolver::do_executor() noexcept { return state_->executor(); }
void system_resolver::do_resolve(const std::string& host, const resolve_options& wanted,
                                 completion<resolve_signature> waiting) {
  state_->resolve(host, wanted, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
