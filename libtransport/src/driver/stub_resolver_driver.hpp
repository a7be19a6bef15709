// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/cancellation_signal.hpp>
#include <asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/dns/lookup.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/stub_resolver.hpp"
#include "strata/transport/udp_socket.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

/// A name server: by datagrams with a stream beside, or by an exchange alone.
struct dns_path {
  address datagrams;  ///< Empty: none.
  std::shared_ptr<dns_exchange> exchange;
};

class stub_resolver_driver final : public driver {
 public:
  stub_resolver_driver(const ready_list& ready, std::vector<dns_path> paths,
                       const stub_resolver_options& options);

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  void resolve(const std::string& host, const resolve_options& wanted,
               completion<resolve_signature> waiting);
  void abort_all() noexcept;
  void clear_cache() noexcept { cache_.clear(); }

 private:
  /// What carries one query.
  struct flight {
    std::uint64_t id = 0;
    std::optional<udp_socket> socket;
    std::array<datagram_batch, 2> batches{};
    asio::cancellation_signal stop;
  };
  struct job {
    std::string host;
    resolve_options wanted;
    pending_operation<resolve_signature> waiting;
    std::unique_ptr<dns::lookup> core;
    std::optional<asio::steady_timer> timer;
    std::vector<std::shared_ptr<flight>> flights;
  };
  using job_pointer = std::shared_ptr<job>;

  void shutdown() noexcept override;
  std::shared_ptr<stub_resolver_driver> self();
  void serve();
  void start(const job_pointer& next);
  void turn(const job_pointer& of);
  void arm(const job_pointer& of);
  void send(const job_pointer& of, const dns::lookup::query& query);
  void send_datagram(const job_pointer& of, const std::shared_ptr<flight>& made,
                     const address& server, bytes message);
  void send_exchange(const job_pointer& of, const std::shared_ptr<flight>& made, dns_exchange& over,
                     bytes message);
  void receive(const job_pointer& of, const std::shared_ptr<flight>& from);
  static void feed(dns::lookup& core, const flight& from, std::size_t batches);
  void finish(const job_pointer& of);
  void end(const job_pointer& of, std::error_code error, std::unique_ptr<resolution> found);
  void abort(const job_pointer& which) noexcept;

  ready_list ready_;
  std::vector<dns_path> paths_;
  std::vector<dns::path_kind> kinds_;
  dns_cache cache_;
  dns::lookup_options options_;
  system_random random_;
  std::vector<job_pointer> running_;
  std::deque<job_pointer> line_;
  bool is_serving_ = false;
  bool dead_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
