// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/memory_stream.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::mux::testing {

/// A dialer and a listener of memory streams, between which a test can stand. One of each.
class memory_network {
 public:
  explicit memory_network(const asio::any_io_executor& executor)
      : state_(std::make_shared<state>(executor)) {}

  std::shared_ptr<transport::stream_dialer> dialer() { return std::make_shared<dialing>(state_); }
  std::unique_ptr<transport::stream_listener> listener() {
    return std::make_unique<listening>(state_);
  }
  /// Of every dial that connected, in their order.
  std::vector<transport::memory_link>& links() { return state_->links; }
  /// What dials fail with from now on; nothing: they connect.
  void refuse(std::error_code failure) { state_->refusal = failure; }
  std::size_t dials() const { return state_->dials; }
  /// Bytes that one direction of later carriers holds.
  void hold(std::size_t capacity) { state_->options.capacity = capacity; }

 private:
  using accept_signature = transport::stream_signature;

  struct state {
    explicit state(const asio::any_io_executor& executor) : ready(executor) {}

    void serve() {
      if (!accepting || arrived.empty()) return;
      auto first = std::move(arrived.front());
      arrived.pop_front();
      ready.complete(accepting.take(), std::error_code(), std::move(first));
    }

    transport::ready_list ready;
    std::deque<std::unique_ptr<transport::stream>> arrived;
    transport::pending_operation<accept_signature> accepting;
    std::vector<transport::memory_link> links;
    transport::memory_stream_options options;
    std::error_code refusal;
    std::size_t dials = 0;
  };

  class dialing final : public transport::stream_dialer {
   public:
    explicit dialing(std::shared_ptr<state> in) : state_(std::move(in)) {}

   private:
    asio::any_io_executor do_executor() noexcept override { return state_->ready.executor(); }
    void do_dial(const transport::target&,
                 transport::completion<accept_signature> waiting) override {
      ++state_->dials;
      if (state_->refusal)
        return state_->ready.complete(std::move(waiting), state_->refusal,
                                      std::unique_ptr<transport::stream>());
      auto pair = transport::make_memory_streams(state_->ready.executor(), state_->options);
      state_->links.push_back(pair.link);
      state_->arrived.push_back(std::move(pair.second));
      state_->ready.complete(std::move(waiting), std::error_code(), std::move(pair.first));
      state_->serve();
    }
    std::shared_ptr<state> state_;
  };

  class listening final : public transport::stream_listener {
   public:
    explicit listening(std::shared_ptr<state> in) : state_(std::move(in)) {}
    ~listening() override { close(); }
    void close() noexcept override {
      if (state_->accepting)
        state_->ready.complete(state_->accepting.take(), make_error_code(transport::errc::aborted),
                               std::unique_ptr<transport::stream>());
    }
    transport::address local_address() const noexcept override { return {}; }

   private:
    asio::any_io_executor do_executor() noexcept override { return state_->ready.executor(); }
    void do_accept(transport::completion<accept_signature> waiting) override {
      state_->accepting.start(std::move(waiting), [] {});
      state_->serve();
    }
    std::shared_ptr<state> state_;
  };

  std::shared_ptr<state> state_;
};

}  // namespace strata::mux::testing
