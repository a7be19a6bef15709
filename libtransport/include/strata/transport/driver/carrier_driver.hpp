// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/cancellation_signal.hpp>
#include <asio/steady_timer.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <system_error>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/handler_memory.hpp"
#include "strata/transport/driver/page_pool.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/export.hpp"
#include "strata/transport/stream.hpp"

namespace strata::transport {
inline namespace v0 {

/// What a carrier_driver needs of the protocol it serves: the shape that every core on a byte
/// stream has (yamux, anytls, TLS, WebSocket). carried<Core> makes one of a core.
class STRATA_TRANSPORT_API carried_core {
 public:
  virtual ~carried_core();

  /// `input` is lent until release_input(), which moves what nobody read.
  virtual void receive(time_point now, bytes input) = 0;
  virtual void release_input() = 0;
  virtual void receive_end(time_point now) = 0;
  virtual void carrier_lost(std::error_code cause) = 0;
  virtual void handle_timeout(time_point now) = 0;
  virtual std::optional<time_point> next_timeout() const = 0;
  /// The pieces of one gathered write. They stay as they are until sent(), whatever is called in
  /// between.
  virtual std::size_t poll_output(time_point now, std::span<bytes> pieces) = 0;
  virtual void sent(std::size_t size) = 0;
  virtual bool wants_input() const = 0;
  /// Nothing will ever be sent again, and everything was.
  virtual bool finished() const = 0;
};

template <class Core>
class carried final : public carried_core {
 public:
  template <class... Args>
  explicit carried(Args&&... args) : core(std::forward<Args>(args)...) {}

  Core core;

 private:
  void receive(time_point now, bytes input) override { core.receive(now, input); }
  void release_input() override { core.release_input(); }
  void receive_end(time_point now) override { core.receive_end(now); }
  void carrier_lost(std::error_code cause) override { core.carrier_lost(cause); }
  void handle_timeout(time_point now) override { core.handle_timeout(now); }
  std::optional<time_point> next_timeout() const override { return core.next_timeout(); }
  std::size_t poll_output(time_point now, std::span<bytes> pieces) override {
    return core.poll_output(now, pieces);
  }
  void sent(std::size_t size) override { core.sent(size); }
  bool wants_input() const override { return core.wants_input(); }
  bool finished() const override {
    if constexpr (requires { core.output_ended(); }) {
      return core.output_ended();
    } else {
      return core.finished();
    }
  }
};

/// Serves a core over the stream that carries it: reads when the core wants input, one gathered
/// write at a time, one timer. It is the turn of a driver on a byte stream (core.md), and decides
/// nothing:
///   1. one clock reading, receive; 2. on_turn(): the derived driver drains events and serves what
///   waits; 3. handlers run from the ready list; 4. release_input, then one flush writes.
/// So whoever was told that there is something to read still reads it where the carrier put it.
///
/// Reading waits for readability first, so that a quiet connection pins no memory. The carrier
/// belongs to the same serial executor.
///
/// A deadline that this process handles late, because it did not run, is judged a moment later:
/// what the peer sent in time is in the carrier, and is read first.
class STRATA_TRANSPORT_API carrier_driver : public driver {
 public:
  const asio::any_io_executor& executor() const noexcept { return ready_.executor(); }
  /// What the carrier says of itself, while it is there: for handles that stand on it.
  std::optional<connection_security> carrier_security() const;
  address remote_address() const;
  address local_address() const;

 protected:
  /// `pages` may be shared by the drivers of one executor. `served` must live as long as this.
  carrier_driver(const ready_list& ready, std::unique_ptr<stream> carrier, page_pool pages,
                 carried_core& served);
  ~carrier_driver() override;

  /// Begins to read, and flushes what the core has to say first. Once, after make_driver.
  void start();
  /// A command was given: a flush after the handlers sends what came of it, and reading goes on if
  /// the core wants input again.
  void schedule_flush();
  /// For drivers that may give the carrier away: what ends the wait for input, from the next one
  /// on. An empty slot, as at first, means that nothing does.
  void stop_reading_by(asio::cancellation_slot slot) noexcept { stop_reading_ = slot; }
  bool is_using_carrier() const noexcept { return reading_ || writing_; }
  /// Gives the carrier away, with every byte that the core has not been given. Only while nobody
  /// is using it; nothing is sent or received from then on.
  std::unique_ptr<stream> release_carrier() noexcept;
  /// The carrier is reset at once, whatever is unsent.
  void reset_carrier(std::uint64_t code) noexcept;
  /// Nobody holds a handle any more. When the core has finished, or after `deadline`, the carrier
  /// is let go.
  void let_go(duration deadline);

  bool is_dead() const noexcept { return dead_; }
  stream* carrier() noexcept { return carrier_.get(); }
  ready_list& ready() noexcept { return ready_; }

 private:
  /// After every call into the core that may have brought forth events. It may destroy handles but
  /// completes operations only through the ready list.
  virtual void on_turn(time_point now) = 0;
  /// The carrier ended otherwise than in order; the core knows. Before on_turn().
  virtual void on_carrier_lost(std::error_code) {}
  /// The carrier has taken everything and its end, or was let go.
  virtual void on_output_ended() {}
  /// The context goes: move out and destroy pending handlers uninvoked.
  virtual void on_shutdown() noexcept = 0;

  void shutdown() noexcept final;
  void read_on();
  void on_readable(std::error_code error);
  void read_later();
  void on_read(std::error_code error, std::size_t size);
  void lose_input(std::error_code error);
  void lose_carrier(std::error_code error);
  void end_turn(time_point now);
  void flush();
  void write_out();
  void write_later(std::span<const asio::const_buffer> pieces);
  void on_written(std::error_code error, std::size_t size);
  void end_output();
  void arm_timer();
  void on_timer();
  void drop_carrier() noexcept;
  std::shared_ptr<carrier_driver> self() {
    return std::static_pointer_cast<carrier_driver>(shared_from_this());
  }

  ready_list ready_;
  std::unique_ptr<stream> carrier_;
  page_pool pages_;
  carried_core& core_;
  page page_;
  page lent_;  ///< Where the core's input is, until it is released.
  handler_memory read_memory_, write_memory_, timer_memory_;
  last_job flush_{[](driver& of) { static_cast<carrier_driver&>(of).flush(); }};
  asio::cancellation_slot stop_reading_;
  std::optional<asio::steady_timer> timer_;
  std::optional<time_point> timer_armed_at_;
  std::optional<time_point> let_go_at_;
  std::optional<time_point> excused_;  ///< A deadline of the core's that was handled late, ...
  time_point judged_at_{};             ///< ... and when it counts.
  bool reading_ = false;
  bool input_ended_ = false;
  bool writing_ = false;
  bool output_ended_ = false;
  bool flush_scheduled_ = false;
  bool dead_ = false;
};

}  // namespace v0
}  // namespace strata::transport
