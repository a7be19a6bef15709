// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/proxy/core/inbound_opening.hpp"
#include "strata/transport/core/next_action.hpp"
#include "strata/transport/stream.hpp"

/// A client of SOCKS5 without authentication, from its greeting to the answer.
class socks_client {
 public:
  explicit socks_client(std::unique_ptr<strata::transport::stream> carrier);

  /// Greeting and request, within `limit`. False: it was not SOCKS5, took too long or asked for
  /// what is not there; what there is to be said about that was said.
  asio::awaitable<bool> async_read_request(std::chrono::seconds limit);
  const strata::proxy::core::request& wanted() const noexcept { return opening_.wanted(); }

  /// The answer; false when the client is gone.
  asio::awaitable<bool> async_accept(strata::transport::address bound);
  asio::awaitable<void> async_refuse(std::error_code why);

  strata::transport::stream& carrier() noexcept { return *carrier_; }
  std::unique_ptr<strata::transport::stream> release() noexcept { return std::move(carrier_); }
  /// What the client sent behind its request, without waiting for the answer.
  const std::vector<std::byte>& early() const noexcept { return unread_; }

 private:
  asio::awaitable<strata::transport::next_action::kind_type> run();
  asio::awaitable<bool> read();

  std::unique_ptr<strata::transport::stream> carrier_;
  strata::proxy::core::inbound_opening opening_;
  std::vector<std::byte> unread_;
};
