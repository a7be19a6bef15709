// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/cancellation_signal.hpp>
#include <deque>
#include <memory>
#include <vector>

#include "strata/h3/doh.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

class doh_driver final : public transport::driver {
 public:
  doh_driver(const transport::ready_list& ready, doh_options options);

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  void exchange(std::vector<std::byte> query,
                transport::completion<transport::dns_exchange_signature> waiting);
  /// The handle is being destroyed.
  void abort_all() noexcept;

 private:
  /// A connection lives as long as a job is on it, though others may be on a newer one.
  struct link {
    client to;
    bool is_used = false;  // has carried an answer
  };
  struct job {
    transport::pending_operation<transport::dns_exchange_signature> waiting;
    std::vector<std::byte> query;
    asio::cancellation_signal stop;  // of the request, and of reading its answer
    std::shared_ptr<link> on;
    response answer;
    std::vector<std::byte> message;
    std::chrono::seconds age{0};
    std::array<std::byte, 2048> input;
    bool is_repeated = false;
    bool is_on_old_connection = false;
  };
  using job_pointer = std::shared_ptr<job>;

  void shutdown() noexcept override;
  std::shared_ptr<doh_driver> self();
  bool is_connected() const noexcept;
  void serve();
  void connect();
  void on_connected(std::error_code error, client made);
  void request(const job_pointer& next);
  request_options request_of(const job& asked) const;
  void on_head(const job_pointer& of, std::error_code error, response answer);
  void read(const job_pointer& of);
  void on_content(const job_pointer& of, std::error_code error, std::size_t size);
  void on_failure(const job_pointer& of, std::error_code error);
  void abort(const job_pointer& which) noexcept;
  void settle(const job_pointer& which, std::error_code error,
              std::unique_ptr<transport::dns_reply> reply);

  transport::ready_list ready_;
  doh_options options_;
  std::shared_ptr<link> link_;  // for the next request
  asio::cancellation_signal stop_connecting_;
  bool is_connecting_ = false;
  std::deque<job_pointer> line_;
  std::vector<job_pointer> running_;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
