// SPDX-License-Identifier: Apache-2.0
// What the daemon tells of itself, over HTTP on an address of this host alone.
#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "service.hpp"
#include "strata/transport/tcp.hpp"

class admin {
 public:
  admin(const service& of, std::function<bool()> is_ready)
      : service_(of), is_ready_(std::move(is_ready)) {}

  using listening = std::shared_ptr<strata::transport::tcp_listener>;
  /// What use() takes; the one that is there when the address is the same. Null, with `problem`.
  listening listen(const asio::any_io_executor& executor, const strata::transport::address& at,
                   std::string& problem) const;
  /// Serves there, and no more where it was. Null: nowhere.
  void use(listening listener);
  strata::transport::address local_address() const;

 private:
  struct answer {
    unsigned status = 200;
    std::string type;
    std::string content;
  };
  asio::awaitable<void> accept_all(listening listener);
  asio::awaitable<void> serve(std::unique_ptr<strata::transport::stream> client);
  answer answer_to(std::string_view path) const;
  std::string sessions() const;
  std::string session_lines() const;

  const service& service_;
  std::function<bool()> is_ready_;
  listening listener_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};
