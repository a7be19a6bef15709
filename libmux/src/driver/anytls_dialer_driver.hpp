// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/cancellation_signal.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "driver/anytls_session_driver.hpp"
#include "strata/transport/driver/pending_operation.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

class anytls_dialer_driver;

/// One dial of the application, until it completes.
struct anytls_attempt {
  transport::target where;
  bool wants_datagrams = false;
  std::optional<transport::target> connected_to{};
  transport::pending_operation<stream_signature> stream_waits{};
  transport::pending_operation<datagrams_signature> datagrams_wait{};
  /// The session had streams before, so that it may have died since.
  bool in_used_session = false;
  bool retried = false;
  core::anytls_pool::number session = 0;  ///< Where it waits for the server's answer.

  bool is_waiting() const noexcept { return stream_waits || datagrams_wait; }
};

using attempt_pointer = std::shared_ptr<anytls_attempt>;

/// A session of a dialer: one stream at a time. It tells the dialer when it has none, when the
/// server lives, and when it is over.
class anytls_client_session final : public anytls_session_driver {
 public:
  using number = core::anytls_pool::number;

  /// Whom it tells, and the name it has there.
  struct place_in_pool {
    std::weak_ptr<anytls_dialer_driver> owner;
    number which = 0;
  };

  anytls_client_session(const anytls_setting& setting, const core::anytls_config& config,
                        std::unique_ptr<transport::stream> carrier, place_in_pool at);

  /// A stream to `where`, which is written on it.
  transport::result<std::uint32_t> open(const transport::target& where);
  /// Completes `one` when it does. Only one at a time.
  void await_answer(attempt_pointer one, std::uint32_t id, transport::duration patience);
  void forget_answer();
  std::unique_ptr<transport::stream> hand_out(std::uint32_t id) { return make_stream(id); }

 private:
  void on_event(const core::anytls_event& event) override;
  void end_of_turn(transport::time_point now) override;
  void on_shutdown() noexcept override;
  void answered(std::error_code error, bool has_ended = false);

  std::weak_ptr<anytls_dialer_driver> owner_;
  number number_;
  bool has_stream_ = false;
  bool alive_ = false;
  attempt_pointer answering_;
  std::uint32_t answering_id_ = 0;
  std::optional<asio::steady_timer> patience_;
};

/// Which session a stream is opened in is for core::anytls_pool; this dials and keeps them.
class anytls_dialer_driver final : public transport::driver {
 public:
  using number = core::anytls_pool::number;

  anytls_dialer_driver(const anytls_setting& setting,
                       std::shared_ptr<transport::stream_dialer> carriers,
                       transport::target server);

  const asio::any_io_executor& executor() const noexcept { return setting_.ready.executor(); }
  void dial(const transport::target& where, completion<stream_signature> waiting);
  void dial_datagrams(std::optional<transport::target> connected_to,
                      completion<datagrams_signature> waiting);
  void close() noexcept;
  anytls_dialer_statistics statistics() const noexcept;

  // What sessions say.
  void on_alive(number which);
  void on_free(number which);
  void on_lost(number which);
  void on_padding(const core::anytls_padding_scheme& pushed) { pool_.update_padding(pushed); }
  /// Whether streams are answered: not in version 1.
  void on_version(bool answers) { server_answers_ = answers; }
  void on_answer(const attempt_pointer& one, std::unique_ptr<transport::stream> made);
  void on_no_answer(const attempt_pointer& one, std::error_code error, bool session_lost);

 private:
  struct carrier_dial {
    std::unique_ptr<asio::cancellation_signal> stop;
    std::weak_ptr<anytls_attempt> wanted_by;
  };

  void shutdown() noexcept override;
  template <class Signature>
  void start(const attempt_pointer& one, transport::pending_operation<Signature>& waits,
             completion<Signature> waiting);
  void abort(const attempt_pointer& one) noexcept;
  void place(const attempt_pointer& one, const core::anytls_pool::choice& where);
  void dial_carrier(const attempt_pointer& one, number which);
  void on_carrier(number which, std::error_code error, std::unique_ptr<transport::stream> carrier);
  void open_stream(const attempt_pointer& one, number which);
  void fail_or_retry(const attempt_pointer& one, std::error_code error);
  void settle(const attempt_pointer& one, std::error_code error,
              std::unique_ptr<transport::stream> made);
  void serve_waiting();
  void close_surplus();
  void arm_timer();

  anytls_setting setting_;
  std::shared_ptr<transport::stream_dialer> carriers_;
  transport::target server_;
  core::anytls_pool pool_;
  std::unordered_map<number, std::shared_ptr<anytls_client_session>> sessions_;
  std::unordered_map<number, carrier_dial> dials_;
  std::vector<attempt_pointer> attempts_;  ///< All that have not completed.
  std::deque<attempt_pointer> waiting_;    ///< Those without a session.
  transport::time_point wait_until_{};
  std::optional<asio::steady_timer> timer_;
  bool server_answers_;  ///< As far as it is known: it speaks version 2.
  std::uint64_t dialled_ = 0;
  std::uint64_t reused_ = 0;
  bool closed_ = false;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
