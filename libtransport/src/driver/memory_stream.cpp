// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/memory_stream.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Bytes on their way, up to a capacity. Memory comes with the first byte.
class byte_ring {
 public:
  explicit byte_ring(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

  bool is_empty() const noexcept { return size_ == 0; }
  bool is_full() const noexcept { return size_ == capacity_; }
  void clear() noexcept { begin_ = size_ = 0; }

  std::size_t push(bytes from) {
    if (memory_.empty()) memory_.resize(capacity_);
    std::size_t moved = 0;
    while (moved < from.size() && !is_full()) {
      const std::size_t end = (begin_ + size_) % capacity_;
      const std::size_t count = std::min({from.size() - moved, capacity_ - size_, capacity_ - end});
      copy_bytes(memory_.data() + end, from.subspan(moved, count));
      moved += count;
      size_ += count;
    }
    return moved;
  }

  std::size_t pop(mutable_bytes to) noexcept {
    std::size_t moved = 0;
    while (moved < to.size() && !is_empty()) {
      const std::size_t count = std::min({to.size() - moved, size_, capacity_ - begin_});
      copy_bytes(to.data() + moved, bytes(memory_).subspan(begin_, count));
      moved += count;
      size_ -= count;
      begin_ = (begin_ + count) % capacity_;
    }
    return moved;
  }

 private:
  std::size_t capacity_;
  std::vector<std::byte> memory_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

/// What one side writes and the other reads. Each of the two ends has one lasting result.
struct direction {
  explicit direction(std::size_t capacity) : ring(capacity) {}
  bool is_readable() const noexcept { return !ring.is_empty() || read_end; }
  bool is_writable() const noexcept { return !ring.is_full() || write_end; }

  byte_ring ring;
  std::error_code write_end;  // the writer's lasting result
  std::error_code read_end;   // the reader's, once `ring` is empty; reset and close empty it
  std::optional<std::uint64_t> reset_code;  // the writer's, for the reader
  std::optional<std::uint64_t> stop_code;   // the reader's, for the writer

  pending_operation<io_signature> read;
  buffer_list<asio::mutable_buffer> read_into;
  bool only_wait = false;
  pending_operation<io_signature> write;
  buffer_list<asio::const_buffer> write_from;
};

struct outcome {
  std::error_code error;
  std::size_t count = 0;
};

/// No buffers: the question was only whether a read would wait.
outcome read_now(direction& way, std::span<const asio::mutable_buffer> buffers) noexcept {
  if (buffers.empty()) return {way.read_end == errc::closed ? way.read_end : std::error_code(), 0};
  if (way.ring.is_empty()) return {way.read_end, 0};
  outcome out;
  for (const auto& buffer : buffers)
    out.count += way.ring.pop({static_cast<std::byte*>(buffer.data()), buffer.size()});
  return out;
}

outcome write_now(direction& way, std::span<const asio::const_buffer> buffers) {
  if (way.write_end) return {way.write_end, 0};
  outcome out;
  for (const auto& buffer : buffers)
    out.count += way.ring.push({static_cast<const std::byte*>(buffer.data()), buffer.size()});
  return out;
}

bool is_end_in_order(const std::error_code& end) {
  return end == errc::eof || end == errc::write_finished;
}

}  // namespace

namespace detail {

/// Both streams of a pair. `side` is 0 or 1: a side writes direction[side] and reads direction[1 -
/// side].
class memory_driver final : public driver {
 public:
  memory_driver(const ready_list& ready, std::size_t capacity)
      : ready_(ready), directions_{direction(capacity), direction(capacity)} {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  peer_codes codes(std::size_t side) const noexcept {
    return {.reset = directions_[1 - side].reset_code, .stopped = directions_[side].stop_code};
  }

  void read_some(std::size_t side, std::span<const asio::mutable_buffer> buffers,
                 completion<io_signature> waiting);
  void write_some(std::size_t side, std::span<const asio::const_buffer> buffers,
                  completion<io_signature> waiting);
  void finish(std::size_t side, completion<status_signature> waiting);
  void wait_closed(std::size_t side, completion<status_signature> waiting);
  void reset(std::size_t side, std::uint64_t code) noexcept;
  void abandon(std::size_t side) noexcept;
  void cut(const std::array<std::error_code, 2>& causes) noexcept;

 private:
  enum class kind : std::uint8_t { read, write, closed };

  void shutdown() noexcept override;
  void serve(direction& way);
  void serve_closed(std::size_t side);
  void serve_all();
  void abort(std::size_t side, kind which);
  void update_work();
  template <class Signature>
  void wait(pending_operation<Signature>& place, completion<Signature> waiting, std::size_t side,
            kind which);
  template <class Signature, class... Args>
  void complete(pending_operation<Signature>& place, std::error_code error, Args... args) {
    if (place) ready_.complete(place.take(), error, args...);
  }

  ready_list ready_;
  std::array<direction, 2> directions_;
  std::array<pending_operation<status_signature>, 2> closed_;
  asio::any_io_executor
      work_;  // while something waits, so that the context does not run out of work
  bool dead_ = false;
};

template <class Signature>
void memory_driver::wait(pending_operation<Signature>& place, completion<Signature> waiting,
                         std::size_t side, kind which) {
  place.start(std::move(waiting), [weak = weak_from_this(), side, which] {
    if (const auto self = std::static_pointer_cast<memory_driver>(weak.lock()))
      self->abort(side, which);
  });
  update_work();
}

void memory_driver::update_work() {
  const bool waits =
      closed_[0] || closed_[1] ||
      std::ranges::any_of(directions_, [](const direction& way) { return way.read || way.write; });
  if (waits == static_cast<bool>(work_)) return;
  work_ = waits ? asio::any_io_executor(
                      asio::prefer(ready_.executor(), asio::execution::outstanding_work.tracked))
                : asio::any_io_executor();
}

void memory_driver::abort(std::size_t side, kind which) {
  const std::error_code aborted = errc::aborted;
  switch (which) {
    case kind::read: complete(directions_[1 - side].read, aborted, std::size_t{0}); break;
    case kind::write: complete(directions_[side].write, aborted, std::size_t{0}); break;
    case kind::closed: complete(closed_[side], aborted); break;
  }
  update_work();
}

void memory_driver::read_some(std::size_t side, std::span<const asio::mutable_buffer> buffers,
                              completion<io_signature> waiting) {
  if (dead_) return;
  assert(ready_.is_on_owner());
  direction& way = directions_[1 - side];
  assert(!way.read && "one read at a time");
  const bool asks_nothing = !buffers.empty() && asio::buffer_size(buffers) == 0;
  if (asks_nothing || way.is_readable()) {
    const outcome now = asks_nothing ? outcome() : read_now(way, buffers);
    ready_.complete(std::move(waiting), now.error, now.count);
    return serve(way);
  }
  way.only_wait = buffers.empty();
  way.read_into = way.only_wait ? buffer_list<asio::mutable_buffer>()
                                : buffer_list<asio::mutable_buffer>(buffers);
  wait(way.read, std::move(waiting), side, kind::read);
}

void memory_driver::write_some(std::size_t side, std::span<const asio::const_buffer> buffers,
                               completion<io_signature> waiting) {
  if (dead_) return;
  assert(ready_.is_on_owner());
  direction& way = directions_[side];
  assert(!way.write && "one write at a time");
  const bool asks_nothing = asio::buffer_size(buffers) == 0;
  if (asks_nothing || way.is_writable()) {
    const outcome now = asks_nothing ? outcome() : write_now(way, buffers);
    ready_.complete(std::move(waiting), now.error, now.count);
    return serve(way);
  }
  way.write_from = buffer_list<asio::const_buffer>(buffers);
  wait(way.write, std::move(waiting), side, kind::write);
}

void memory_driver::finish(std::size_t side, completion<status_signature> waiting) {
  if (dead_) return;
  assert(ready_.is_on_owner());
  direction& way = directions_[side];
  assert(!way.write && "finish after the write has completed");
  if (!way.write_end) {
    way.write_end = errc::write_finished;
    way.read_end = errc::eof;
  }
  const bool refused =
      way.write_end != errc::write_finished && way.write_end != errc::write_stopped;
  ready_.complete(std::move(waiting), refused ? way.write_end : std::error_code());
  serve_all();
}

void memory_driver::wait_closed(std::size_t side, completion<status_signature> waiting) {
  if (dead_) return;
  assert(ready_.is_on_owner());
  wait(closed_[side], std::move(waiting), side, kind::closed);
  serve_all();
}

void memory_driver::reset(std::size_t side, std::uint64_t code) noexcept {
  if (dead_) return;
  for (const kind which : {kind::read, kind::write, kind::closed}) abort(side, which);
  direction& out = directions_[side];
  if (!out.write_end) {
    out.write_end = errc::closed;
    out.read_end = errc::stream_reset;
    out.reset_code = code;
    out.ring.clear();
  }
  direction& in = directions_[1 - side];
  if (!in.read_end) {
    in.read_end = errc::closed;
    in.stop_code = code;
    in.ring.clear();
    if (!in.write_end) in.write_end = errc::write_stopped;
  }
  serve_all();
}

void memory_driver::abandon(std::size_t side) noexcept {
  reset(side, stream_cancelled);
  if (!dead_) directions_[1 - side].ring.clear();
}

void memory_driver::cut(const std::array<std::error_code, 2>& causes) noexcept {
  if (dead_) return;
  for (const std::size_t side : {0U, 1U}) {
    direction& written = directions_[side];
    direction& read = directions_[1 - side];
    if (!written.write_end) written.write_end = causes[side];
    if (!read.read_end) read.read_end = causes[side];
  }
  serve_all();
}

void memory_driver::serve(direction& way) {
  if (way.write && way.is_writable()) {
    const outcome now = write_now(way, way.write_from);
    complete(way.write, now.error, now.count);
  }
  if (way.read && way.is_readable()) {
    const outcome now = read_now(
        way, way.only_wait ? std::span<const asio::mutable_buffer>() : way.read_into.span());
    complete(way.read, now.error, now.count);
  }
  update_work();
}

void memory_driver::serve_closed(std::size_t side) {
  const std::error_code& written = directions_[side].write_end;
  const std::error_code& read = directions_[1 - side].read_end;
  if (!closed_[side] || !written || !read) return;
  const std::error_code worst = !is_end_in_order(read)      ? read
                                : !is_end_in_order(written) ? written
                                                            : std::error_code();
  complete(closed_[side], worst);
}

void memory_driver::serve_all() {
  for (direction& way : directions_) serve(way);
  for (const std::size_t side : {0u, 1u}) serve_closed(side);
  update_work();
}

void memory_driver::shutdown() noexcept {
  dead_ = true;
  const std::array waiting{directions_[0].read.take(), directions_[0].write.take(),
                           directions_[1].read.take(), directions_[1].write.take()};
  const std::array closed{closed_[0].take(), closed_[1].take()};
  work_ = {};
}

}  // namespace detail

namespace {

class memory_stream final : public stream {
 public:
  memory_stream(std::shared_ptr<detail::memory_driver> driver, std::size_t side,
                std::shared_ptr<void> held) noexcept
      : held_(std::move(held)), driver_(std::move(driver)), side_(side) {}
  ~memory_stream() override { driver_->abandon(side_); }

  void reset(std::uint64_t code) noexcept override { driver_->reset(side_, code); }
  stream_traits traits() const noexcept override {
    return {.half_close = true, .reset_visible = true, .reset_code = true, .proves_end = true};
  }
  peer_codes codes() const noexcept override { return driver_->codes(side_); }

 private:
  asio::any_io_executor do_executor() noexcept override { return driver_->executor(); }
  void do_read_some(std::span<const asio::mutable_buffer> buffers,
                    completion<io_signature> waiting) override {
    driver_->read_some(side_, buffers, std::move(waiting));
  }
  void do_write_some(std::span<const asio::const_buffer> buffers,
                     completion<io_signature> waiting) override {
    driver_->write_some(side_, buffers, std::move(waiting));
  }
  void do_finish(completion<status_signature> waiting) override {
    driver_->finish(side_, std::move(waiting));
  }
  void do_wait_closed(completion<status_signature> waiting) override {
    driver_->wait_closed(side_, std::move(waiting));
  }

  std::shared_ptr<void> held_;  // goes after the destructor has let go of the stream
  std::shared_ptr<detail::memory_driver> driver_;
  std::size_t side_;
};

}  // namespace

void memory_link::cut(std::error_code cause) noexcept { cut(cause, cause); }

void memory_link::cut(std::error_code first, std::error_code second) noexcept {
  if (const auto driver = driver_.lock()) driver->cut({first, second});
}

memory_stream_pair make_memory_streams(const asio::any_io_executor& executor,
                                       const memory_stream_options& options) {
  const ready_list ready(executor);
  const auto driver = make_driver<detail::memory_driver>(executor, ready, options.capacity);
  return {std::make_unique<memory_stream>(driver, 0, options.held[0]),
          std::make_unique<memory_stream>(driver, 1, options.held[1]), memory_link(driver)};
}

}  // namespace v0
}  // namespace strata::transport
