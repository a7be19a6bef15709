// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "driver/tcp_dial.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::transport {
inline namespace v0 {

struct tcp_dialer::state {
  ready_list ready;
  tcp_dialer_options options;
  std::vector<std::weak_ptr<tcp_dial>>
      dials;  // what the asynchronous operations of unfinished ones keep alive
};

tcp_dialer::tcp_dialer(const asio::any_io_executor& executor, tcp_dialer_options options)
    : state_(std::make_unique<state>(ready_list(executor), std::move(options))) {}

tcp_dialer::~tcp_dialer() {
  for (const auto& weak : state_->dials) {
    if (const auto dial = weak.lock()) dial->abort();
  }
}

asio::any_io_executor tcp_dialer::do_executor() noexcept { return state_->ready.executor(); }

void tcp_dialer::do_dial(const target& where, completion<stream_signature> waiting) {
  if (!state_->ready.executor()) return;
  std::erase_if(state_->dials, [](const std::weak_ptr<tcp_dial>& dial) { return dial.expired(); });
  const auto dial = make_driver<tcp_dial>(state_->ready.executor(), state_->ready, state_->options);
  state_->dials.push_back(dial);
  dial->start(where, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
