// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/tunnel_outbound.hpp"

#include <asio/write.hpp>
#include <utility>

#include "driver/held_stream.hpp"
#include "driver/run_opening.hpp"
#include "driver/spawned_operations.hpp"
#include "driver/tunnel_pool.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace strata::proxy {
inline namespace v0 {

using stream_operations = spawned_operations<transport::stream>;

struct tunnel_outbound::state {
  using stream = transport::stream;

  static asio::awaitable<made<stream>> dial(std::shared_ptr<detail::tunnel_pool> by,
                                            transport::target where) {
    made<stream> result;
    const auto request = core::make_tunnel_request(where);
    if (!request) {
      result.error = request.error();
      co_return result;
    }
    if (by->options().mode == core::tunnel_mode::simple) {
      result = co_await by->dial_simple(where);
      co_return result;
    }
    for (bool is_second = false;; is_second = true) {
      detail::tunnel_pool::picked with = co_await by->pick();
      result.error = with.error;
      if (with.error) co_return result;
      result = co_await open(*by, with.session->link, *request);
      if (!result.error) {
        result.value = with_held_finish(std::move(result.value), by->options().finish_hold,
                                        std::move(with.load));
        co_return result;
      }
      // A session that died after it was picked; of the request nothing has been acted on.
      if (is_second || !with.session->link->closed()) co_return result;
      by->lose(with.session);
      by->count_replaced();
    }
  }

  static asio::awaitable<made<stream>> open(detail::tunnel_pool& by,
                                            std::shared_ptr<transport::connection> link,
                                            std::string request) {
    made<stream> result;
    auto opening = link->async_open_stream();
    auto [failed, opened] =
        co_await transport::with_timeout(std::move(opening), by.options().connect_timeout, quietly);
    result.error = failed;
    if (failed) co_return result;
    const auto all = asio::buffer(request);
    const auto [error, size] = co_await asio::async_write(*opened, all, quietly);
    result.error = error;
    if (!error) result.value = std::move(opened);
    co_return result;
  }

  std::shared_ptr<detail::tunnel_pool> pool;
  std::shared_ptr<stream_operations> dials;
};

tunnel_outbound::tunnel_outbound(std::shared_ptr<transport::stream_dialer> carriers,
                                 tunnel_outbound_options options)
    : state_(std::make_shared<state>()) {
  const transport::ready_list ready(carriers->get_executor());
  state_->dials = transport::make_driver<stream_operations>(ready.executor(), ready);
  state_->pool = transport::make_driver<detail::tunnel_pool>(
      ready.executor(), ready, std::move(carriers), std::move(options));
  state_->pool->top_up();
}

tunnel_outbound::~tunnel_outbound() {
  state_->dials->abort_all();
  state_->pool->close();
}

tunnel_outbound_statistics tunnel_outbound::statistics() const {
  return state_->pool->statistics();
}

asio::any_io_executor tunnel_outbound::do_executor() noexcept { return state_->dials->executor(); }

void tunnel_outbound::do_dial(const transport::target& where,
                              transport::completion<transport::stream_signature> waiting) {
  state_->dials->start(std::move(waiting), state::dial(state_->pool, where));
}

}  // namespace v0
}  // namespace strata::proxy
