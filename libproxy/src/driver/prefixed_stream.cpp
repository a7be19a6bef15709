// SPDX-License-Identifier: Apache-2.0
#include "driver/prefixed_stream.hpp"

#include <algorithm>
#include <asio/append.hpp>
#include <asio/bind_allocator.hpp>
#include <memory>
#include <utility>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace {

using namespace transport;

class prefixed_stream final : public stream {
 public:
  prefixed_stream(std::unique_ptr<stream> inner, std::vector<std::byte> prefix)
      : inner_(std::move(inner)), prefix_(std::move(prefix)), ready_(inner_->get_executor()) {}

  void reset(std::uint64_t code) noexcept override {
    drop();
    inner_->reset(code);
  }
  stream_traits traits() const noexcept override { return inner_->traits(); }
  peer_codes codes() const noexcept override { return inner_->codes(); }
  /// Only what has no bytes of its own any more can be moved by its socket.
  native_socket native() noexcept override {
    return prefix_.empty() ? inner_->native() : native_socket();
  }
  std::optional<connection_security> security() const override { return inner_->security(); }
  address remote_address() const override { return inner_->remote_address(); }
  address local_address() const override { return inner_->local_address(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return inner_->get_executor(); }

  void do_read_some(std::span<const asio::mutable_buffer> into,
                    completion<io_signature> waiting) override {
    // Initiated as ours were, so nothing else is outstanding.
    if (prefix_.empty()) return forward_read(into, std::move(waiting));
    ready_.complete(std::move(waiting), std::error_code(), take(into));
  }
  void do_write_some(std::span<const asio::const_buffer> from,
                     completion<io_signature> waiting) override {
    inner_->async_write_some(from, std::move(waiting.handler));
  }
  result<std::size_t> do_try_read(std::span<const asio::mutable_buffer> into) override {
    if (prefix_.empty()) return inner_->try_read_some(into);
    return take(into);
  }
  result<std::size_t> do_try_write(std::span<const asio::const_buffer> from) override {
    return inner_->try_write_some(from);
  }
  result<std::size_t> do_try_peek(std::span<bytes> pieces) override {
    if (prefix_.empty()) return inner_->try_peek(pieces);
    pieces.front() = bytes(prefix_).subspan(begin_);
    return 1;
  }
  void do_consume(std::size_t size) override {
    if (prefix_.empty()) return inner_->consume(size);
    begin_ += size;
    if (begin_ == prefix_.size()) drop();
  }
  void do_finish(completion<status_signature> waiting) override {
    inner_->async_finish(std::move(waiting.handler));
  }
  void do_wait_closed(completion<status_signature> waiting) override {
    inner_->async_wait_closed(std::move(waiting.handler));
  }

  void forward_read(std::span<const asio::mutable_buffer> into, completion<io_signature> waiting) {
    if (into.empty()) {
      // Its memory is not the handler's: that goes before it is given back, where both are
      // destroyed uncalled.
      inner_->async_wait_readable(asio::bind_allocator(
          std::allocator<void>(), asio::append(std::move(waiting.handler), std::size_t{0})));
      return;
    }
    inner_->async_read_some(into, std::move(waiting.handler));
  }

  std::size_t take(std::span<const asio::mutable_buffer> into) {
    std::size_t taken = 0;
    for (const asio::mutable_buffer& each : into) {
      const std::size_t count = std::min(each.size(), prefix_.size() - begin_);
      copy_bytes(static_cast<std::byte*>(each.data()), bytes(prefix_).subspan(begin_, count));
      begin_ += count;
      taken += count;
    }
    if (begin_ == prefix_.size()) drop();
    return taken;
  }
  void drop() noexcept {
    std::vector<std::byte>().swap(prefix_);
    begin_ = 0;
  }

  std::unique_ptr<stream> inner_;
  std::vector<std::byte> prefix_;
  std::size_t begin_ = 0;
  ready_list ready_;
};

}  // namespace

std::unique_ptr<transport::stream> with_prefix(std::unique_ptr<transport::stream> inner,
                                               std::vector<std::byte> prefix) {
  if (prefix.empty()) return inner;
  return std::make_unique<prefixed_stream>(std::move(inner), std::move(prefix));
}

}  // namespace v0
}  // namespace strata::proxy
