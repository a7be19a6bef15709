// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/cancellation_signal.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "strata/transport/dns_exchange.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

/// How messages travel on a stream: one request, then one reply.
class exchange_codec {
 public:
  virtual ~exchange_codec() = default;
  virtual result<std::string> request(bytes query) = 0;
  /// As doh_reply_reader's.
  virtual result<std::size_t> receive(bytes input) = 0;
  virtual result<void> receive_end() = 0;
  virtual bool is_done() const = 0;
  virtual dns_reply take() = 0;
  /// The next request may go on the same stream.
  virtual bool is_persistent() const = 0;
};

struct exchange_setting {
  std::shared_ptr<stream_dialer> streams;
  target server;
  std::function<std::unique_ptr<exchange_codec>()> make_codec;
};

/// Exchanges over a few streams to one server. Who finds none free waits in line.
class exchange_driver final : public driver {
 public:
  exchange_driver(const ready_list& ready, exchange_setting setting);

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  void exchange(std::vector<std::byte> query, completion<dns_exchange_signature> waiting);
  /// The handle is being destroyed.
  void abort_all() noexcept;

 private:
  struct job {
    pending_operation<dns_exchange_signature> waiting;
    std::vector<std::byte> query;
    bool is_repeated = false;
  };
  /// A stream and the job it serves; without one it is idle.
  struct carrier {
    std::unique_ptr<stream> bytes_to_server;
    std::unique_ptr<exchange_codec> codec;
    std::shared_ptr<job> serves;
    asio::cancellation_signal stop;  // of dialling, or of waiting while idle
    std::string request;
    std::array<std::byte, 4096> input;
    bool is_fresh = true;    // has not served anybody yet
    bool has_input = false;  // for the present job
    bool is_dropped = false;
  };
  using carrier_pointer = std::shared_ptr<carrier>;

  void shutdown() noexcept override;
  std::shared_ptr<exchange_driver> self();
  void serve();
  carrier_pointer find_idle() const;
  void dial(const std::shared_ptr<job>& first);
  void begin(const carrier_pointer& on, const std::shared_ptr<job>& next);
  void read(const carrier_pointer& on);
  void on_input(const carrier_pointer& on, std::error_code error, std::size_t size);
  void on_reply(const carrier_pointer& on);
  void wait_idle(const carrier_pointer& on);
  void on_failure(const carrier_pointer& on, std::error_code error);
  void drop(const carrier_pointer& on) noexcept;
  void abort(const std::shared_ptr<job>& which) noexcept;
  void settle(const std::shared_ptr<job>& which, std::error_code error,
              std::unique_ptr<dns_reply> reply);

  ready_list ready_;
  exchange_setting setting_;
  std::deque<std::shared_ptr<job>> line_;
  std::vector<carrier_pointer> carriers_;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
