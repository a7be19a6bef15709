// SPDX-License-Identifier: Apache-2.0
#include "driver/held_stream.hpp"

#include <asio/associated_allocator.hpp>
#include <asio/associator.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <optional>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

using namespace transport;

/// The stream below and the end that waits.
class held_end final : public driver {
 public:
  held_end(const ready_list& ready, std::unique_ptr<stream> inner, duration hold,
           std::shared_ptr<void> held)
      : ready(ready), inner(std::move(inner)), hold_(hold), held_(std::move(held)) {}

  bool is_finished() const noexcept { return finished_; }

  /// True when the end goes down at once.
  bool finish() {
    if (peer_ended_) return true;
    finished_ = true;
    timer_.emplace(ready.executor());
    touch();
    return false;
  }

  void saw(const std::error_code& error) {
    if (error == transport::errc::eof) peer_ended_ = true;
    if (!finished_ || passed_on_) return;
    if (peer_ended_) return pass_on();
    if (!error) touch();
  }

  void pass_on() {
    if (!finished_ || std::exchange(passed_on_, true)) return;
    timer_.reset();
    inner->async_finish(asio::detached);
  }

  void drop() noexcept {
    passed_on_ = true;
    timer_.reset();
  }

  ready_list ready;
  std::unique_ptr<stream> inner;

 private:
  void shutdown() noexcept override { drop(); }

  void touch() {
    timer_->expires_after(hold_);
    timer_->async_wait([weak = weak_from_this()](std::error_code error) {
      const auto self = std::static_pointer_cast<held_end>(weak.lock());
      if (!error && self) self->pass_on();
    });
  }

  duration hold_;
  std::shared_ptr<void> held_;
  std::optional<asio::steady_timer> timer_;
  bool finished_ = false;
  bool passed_on_ = false;
  bool peer_ended_ = false;
};

/// The handler of a read, whose result is looked at on the way.
struct seen_handler {
  asio::any_completion_handler<io_signature> handler;
  std::weak_ptr<held_end> by;

  void operator()(std::error_code error, std::size_t size) {
    if (const auto end = by.lock()) end->saw(error);
    std::move(handler)(error, size);
  }
};

/// Makes a handler of reads out of one that waits.
struct waited_handler {
  asio::any_completion_handler<io_signature> handler;
  void operator()(std::error_code error) { std::move(handler)(error, std::size_t{0}); }
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy

// Their memory is not the inner handler's: that goes with the inner handler, before the outer is
// given back, where both are destroyed uncalled.
template <class Default>
struct asio::associator<asio::associated_allocator, strata::proxy::detail::seen_handler, Default> {
  using type = Default;
  static type get(const strata::proxy::detail::seen_handler&) noexcept { return Default(); }
  static type get(const strata::proxy::detail::seen_handler&, const Default& fallback) noexcept {
    return fallback;
  }
};

template <class Default>
struct asio::associator<asio::associated_allocator, strata::proxy::detail::waited_handler,
                        Default> {
  using type = Default;
  static type get(const strata::proxy::detail::waited_handler&) noexcept { return Default(); }
  static type get(const strata::proxy::detail::waited_handler&, const Default& fallback) noexcept {
    return fallback;
  }
};

template <template <class, class> class Associator, class Default>
struct asio::associator<Associator, strata::proxy::detail::seen_handler, Default>
    : Associator<asio::any_completion_handler<strata::transport::io_signature>, Default> {
  using inner = asio::any_completion_handler<strata::transport::io_signature>;
  static auto get(const strata::proxy::detail::seen_handler& of) noexcept {
    return Associator<inner, Default>::get(of.handler);
  }
  static auto get(const strata::proxy::detail::seen_handler& of, const Default& fallback) noexcept {
    return Associator<inner, Default>::get(of.handler, fallback);
  }
};

template <template <class, class> class Associator, class Default>
struct asio::associator<Associator, strata::proxy::detail::waited_handler, Default>
    : Associator<asio::any_completion_handler<strata::transport::io_signature>, Default> {
  using inner = asio::any_completion_handler<strata::transport::io_signature>;
  static auto get(const strata::proxy::detail::waited_handler& of) noexcept {
    return Associator<inner, Default>::get(of.handler);
  }
  static auto get(const strata::proxy::detail::waited_handler& of,
                  const Default& fallback) noexcept {
    return Associator<inner, Default>::get(of.handler, fallback);
  }
};

namespace strata::proxy {
inline namespace v0 {

namespace {

using namespace transport;

class held_stream final : public stream {
 public:
  explicit held_stream(std::shared_ptr<detail::held_end> end) noexcept : end_(std::move(end)) {}
  ~held_stream() override {
    end_->pass_on();
    end_->drop();
  }

  void reset(std::uint64_t code) noexcept override {
    end_->drop();
    end_->inner->reset(code);
  }
  stream_traits traits() const noexcept override {
    stream_traits made = end_->inner->traits();
    made.half_close = false;
    return made;
  }
  peer_codes codes() const noexcept override { return end_->inner->codes(); }
  std::optional<connection_security> security() const override { return end_->inner->security(); }
  address remote_address() const override { return end_->inner->remote_address(); }
  address local_address() const override { return end_->inner->local_address(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return end_->inner->get_executor(); }

  void do_read_some(std::span<const asio::mutable_buffer> into,
                    completion<io_signature> waiting) override {
    if (into.empty())
      return end_->inner->async_wait_readable(detail::waited_handler{std::move(waiting.handler)});
    end_->inner->async_read_some(into, detail::seen_handler{std::move(waiting.handler), end_});
  }
  void do_write_some(std::span<const asio::const_buffer> from,
                     completion<io_signature> waiting) override {
    if (end_->is_finished()) {
      return end_->ready.complete(std::move(waiting),
                                  make_error_code(transport::errc::write_finished), std::size_t{0});
    }
    end_->inner->async_write_some(from, std::move(waiting.handler));
  }
  result<std::size_t> do_try_read(std::span<const asio::mutable_buffer> into) override {
    const auto size = end_->inner->try_read_some(into);
    if (size || size.error() != transport::errc::would_block)
      end_->saw(size ? std::error_code() : size.error());
    return size;
  }
  result<std::size_t> do_try_peek(std::span<bytes> pieces) override {
    const auto count = end_->inner->try_peek(pieces);
    if (!count) end_->saw(count.error());
    return count;
  }
  void do_consume(std::size_t size) override {
    end_->saw({});
    end_->inner->consume(size);
  }
  result<std::size_t> do_try_write(std::span<const asio::const_buffer> from) override {
    if (end_->is_finished())
      return std::unexpected(make_error_code(transport::errc::write_finished));
    return end_->inner->try_write_some(from);
  }
  void do_finish(completion<status_signature> waiting) override {
    if (!end_->is_finished() && end_->finish())
      return end_->inner->async_finish(std::move(waiting.handler));
    end_->ready.complete(std::move(waiting), std::error_code());
  }
  void do_wait_closed(completion<status_signature> waiting) override {
    end_->inner->async_wait_closed(std::move(waiting.handler));
  }

  std::shared_ptr<detail::held_end> end_;
};

}  // namespace

std::unique_ptr<transport::stream> with_held_finish(std::unique_ptr<transport::stream> inner,
                                                    transport::duration hold,
                                                    std::shared_ptr<void> held) {
  const transport::ready_list ready(inner->get_executor());
  return std::make_unique<held_stream>(transport::make_driver<detail::held_end>(
      ready.executor(), ready, std::move(inner), hold, std::move(held)));
}

}  // namespace v0
}  // namespace strata::proxy
