// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/resolving_dialer.hpp"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <utility>
#include <vector>

#include "driver/tcp_dial.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {

class resolving_dialer::state final : public driver {
 public:
  state(const ready_list& ready, std::shared_ptr<resolver> names, resolving_dialer_options options)
      : ready_(ready), names_(std::move(names)), options_(std::move(options)) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }

  void dial(const target& where, completion<stream_signature> waiting) {
    if (dead_) return;
    if (!where.is_valid()) {
      return ready_.complete(std::move(waiting), make_error_code(errc::invalid_argument),
                             std::unique_ptr<stream>());
    }
    if (!where.is_name()) return race({where.ip()}, where.port(), std::move(waiting));
    resolve(where, std::move(waiting));
  }

  void abort_all() noexcept {
    for (const auto lookups = lookups_; const auto& each : lookups) abort(each);
    for (const auto& weak : dials_) {
      if (const auto dial = weak.lock()) dial->abort();
    }
  }

 private:
  struct lookup {
    pending_operation<stream_signature> waiting;
    asio::cancellation_signal stop;
  };

  void shutdown() noexcept override {
    dead_ = true;
    const auto lookups = std::exchange(lookups_, {});
    for (const auto& each : lookups) each->waiting.take();
    const auto names = std::exchange(names_, nullptr);
  }

  void resolve(const target& where, completion<stream_signature> waiting) {
    const auto made = std::make_shared<lookup>();
    lookups_.push_back(made);
    made->waiting.start(std::move(waiting), [weak = weak_from_this(), one = std::weak_ptr(made)] {
      const auto self = std::static_pointer_cast<state>(weak.lock());
      const auto held = one.lock();
      if (self && held) self->abort(held);
    });
    const resolve_options wanted{.https = false, .port = where.port()};
    names_->async_resolve(
        std::string(where.name()), wanted,
        asio::bind_cancellation_slot(
            made->stop.slot(),
            [self = std::static_pointer_cast<state>(shared_from_this()), made, port = where.port()](
                std::error_code error, std::unique_ptr<resolution> found) {
              if (self->dead_ || !made->waiting) return;
              std::erase(self->lookups_, made);
              auto held = made->waiting.take();
              if (!error) return self->race(found->addresses, port, std::move(held));
              self->ready_.complete(std::move(held), error, std::unique_ptr<stream>());
            }));
  }

  void race(const std::vector<address>& resolved, std::uint16_t port,
            completion<stream_signature> waiting) {
    std::vector<address> admitted;
    for (const address& each : resolved) {
      const address where = each.with_port(port);
      if (!options_.admits || options_.admits(where)) admitted.push_back(where);
    }
    if (admitted.empty()) {
      return ready_.complete(std::move(waiting), options_.not_admitted, std::unique_ptr<stream>());
    }
    std::erase_if(dials_, [](const std::weak_ptr<tcp_dial>& dial) { return dial.expired(); });
    const auto dial = make_driver<tcp_dial>(ready_.executor(), ready_, options_.tcp);
    dials_.push_back(dial);
    dial->start(admitted, std::move(waiting));
  }

  void abort(const std::shared_ptr<lookup>& which) noexcept {
    std::erase(lookups_, which);
    if (which->waiting) {
      ready_.complete(which->waiting.take(), make_error_code(errc::aborted),
                      std::unique_ptr<stream>());
    }
    which->stop.emit(asio::cancellation_type::terminal);
  }

  ready_list ready_;
  std::shared_ptr<resolver> names_;
  resolving_dialer_options options_;
  std::vector<std::shared_ptr<lookup>> lookups_;
  std::vector<std::weak_ptr<tcp_dial>> dials_;
  bool dead_ = false;
};

resolving_dialer::resolving_dialer(std::shared_ptr<resolver> names,
                                   resolving_dialer_options options) {
  const ready_list ready(names->get_executor());
  state_ = make_driver<state>(ready.executor(), ready, std::move(names), std::move(options));
}

resolving_dialer::~resolving_dialer() { state_->abort_all(); }
asio::any_io_executor resolving_dialer::do_executor() noexcept { return state_->executor(); }
void resolving_dialer::do_dial(const target& where, completion<stream_signature> waiting) {
  state_->dial(where, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
