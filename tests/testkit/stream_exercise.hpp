// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "testkit/carrier.hpp"

namespace strata::testkit {

/// An operation that was started, and what came of it.
class started_operation {
 public:
  struct result {
    bool is_done = false;
    std::error_code error;
    std::size_t count = 0;
    std::string memory;  // the buffer; the operation's until it is done
  };

  started_operation()
      : result_(std::make_shared<result>()),
        signal_(std::make_shared<asio::cancellation_signal>()) {}

  bool is_done() const { return result_->is_done; }
  const std::error_code& error() const { return result_->error; }
  std::size_t count() const { return result_->count; }
  /// The bytes that a read moved.
  std::string_view text() const {
    return std::string_view(result_->memory).substr(0, result_->count);
  }
  void cancel() { signal_->emit(asio::cancellation_type::terminal); }

  result& state() { return *result_; }
  /// The completion handler: stores the outcome, and can be cancelled.
  auto handler() {
    auto store = [kept = result_, signal = signal_](std::error_code error, std::size_t count = 0) {
      kept->is_done = true;
      kept->error = error;
      kept->count = count;
    };
    return asio::bind_cancellation_slot(signal_->slot(), std::move(store));
  }

 private:
  std::shared_ptr<result> result_;
  std::shared_ptr<asio::cancellation_signal> signal_;
};

/// The two ends of one carrier and short words for what tests do with them. Operations never
/// complete inside the functions that start them; every start checks it.
class stream_exercise {
 public:
  explicit stream_exercise(carrier& under_test);

  started_operation start_read(transport::stream& on, std::size_t size = 1024);
  started_operation start_wait_readable(transport::stream& on);
  started_operation start_write(transport::stream& on, std::string text);
  started_operation start_finish(transport::stream& on);
  started_operation start_wait_closed(transport::stream& on);

  /// Runs until the operation is done; the test fails when that takes seconds.
  started_operation complete(started_operation operation);
  started_operation read(transport::stream& on, std::size_t size = 1024) {
    return complete(start_read(on, size));
  }
  started_operation write(transport::stream& on, std::string text) {
    return complete(start_write(on, std::move(text)));
  }
  started_operation finish(transport::stream& on) { return complete(start_finish(on)); }
  void settle() { carrier_.settle(); }
  /// After near's finish: lets its end reach the peer where it is held back for the peer's own.
  void let_held_end_leave() {
    if (!row().holds_finish) return;
    finish(*far);
    settle();
  }

  /// Reads until `size` bytes are there, or the end.
  std::string read_exactly(transport::stream& on, std::size_t size);
  /// Writes all of `text`, while nobody reads: it has to fit.
  void send(transport::stream& on, std::string_view text);
  /// Writes until one operation waits, which is returned, and says in `accepted` how much was taken
  /// before.
  started_operation fill(transport::stream& on, std::size_t& accepted);

  carrier& of() { return carrier_; }
  const carrier_row& row() const { return carrier_.row(); }
  bool resets_each_direction() const {
    return !row().reset_kills_connection && row().traits.reset_visible;
  }

 private:
  carrier& carrier_;
  stream_ends ends_;

 public:
  std::unique_ptr<transport::stream>& near = ends_.near;
  std::unique_ptr<transport::stream>& far = ends_.far;
};

}  // namespace strata::testkit
