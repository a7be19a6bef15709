// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/stream.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

/// Makes a handler of reads out of one that waits: nothing was moved.
struct uncounted_handler {
  asio::any_completion_handler<transport::io_signature> handler;
  void operator()(std::error_code error) { std::move(handler)(error, std::size_t{0}); }
};

/// A carrier some of whose bytes were read already: they are read from here again.
class replaying_stream final : public transport::stream {
 public:
  replaying_stream(const transport::ready_list& ready, std::unique_ptr<transport::stream> carrier,
                   std::vector<std::byte> first)
      : ready_(ready), carrier_(std::move(carrier)), first_(std::move(first)) {}

  void reset(std::uint64_t code) noexcept override {
    replayed_ = 0;
    first_.clear();
    carrier_->reset(code);
  }
  transport::stream_traits traits() const noexcept override { return carrier_->traits(); }
  transport::peer_codes codes() const noexcept override { return carrier_->codes(); }
  std::optional<transport::connection_security> security() const override {
    return carrier_->security();
  }
  transport::address remote_address() const override { return carrier_->remote_address(); }
  transport::address local_address() const override { return carrier_->local_address(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return carrier_->get_executor(); }

  void do_read_some(std::span<const asio::mutable_buffer> buffers,
                    transport::completion<transport::io_signature> waiting) override {
    if (replayed_ == first_.size()) {
      std::vector<std::byte>().swap(first_);
      replayed_ = 0;
      if (!buffers.empty()) return carrier_->async_read_some(buffers, std::move(waiting.handler));
      return carrier_->async_wait_readable(uncounted_handler{std::move(waiting.handler)});
    }
    std::size_t size = 0;
    for (const asio::mutable_buffer& each : buffers) {
      const std::size_t here = std::min(each.size(), first_.size() - replayed_);
      transport::copy_bytes(static_cast<std::byte*>(each.data()),
                            transport::bytes(first_).subspan(replayed_, here));
      replayed_ += here;
      size += here;
    }
    ready_.complete(std::move(waiting), std::error_code(), size);
  }
  void do_write_some(std::span<const asio::const_buffer> buffers,
                     transport::completion<transport::io_signature> waiting) override {
    carrier_->async_write_some(buffers, std::move(waiting.handler));
  }
  void do_finish(transport::completion<transport::status_signature> waiting) override {
    carrier_->async_finish(std::move(waiting.handler));
  }
  void do_wait_closed(transport::completion<transport::status_signature> waiting) override {
    carrier_->async_wait_closed(std::move(waiting.handler));
  }

  transport::ready_list ready_;
  std::unique_ptr<transport::stream> carrier_;
  std::vector<std::byte> first_;
  std::size_t replayed_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux

template <template <class, class> class Associator, class Default>
struct asio::associator<Associator, strata::mux::detail::uncounted_handler, Default>
    : Associator<asio::any_completion_handler<strata::transport::io_signature>, Default> {
  using base = Associator<asio::any_completion_handler<strata::transport::io_signature>, Default>;
  static auto get(const strata::mux::detail::uncounted_handler& of) noexcept {
    return base::get(of.handler);
  }
  static auto get(const strata::mux::detail::uncounted_handler& of,
                  const Default& fallback) noexcept {
    return base::get(of.handler, fallback);
  }
};
