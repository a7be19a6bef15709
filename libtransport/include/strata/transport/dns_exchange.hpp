// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/deferred.hpp>
#include <chrono>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/transport/completion.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/export.hpp"
#include "strata/transport/stream_dialer.hpp"

namespace strata::transport {
inline namespace v0 {

struct dns_reply {
  std::vector<std::byte> message;  ///< Not looked into.
  std::chrono::seconds age{0};     ///< How long a cache on the way has had it.
};

/// How an exchange completes; the reply is null exactly when there is an error.
using dns_exchange_signature = void(std::error_code, std::unique_ptr<dns_reply>);

/// Carries DNS messages to one name server and its replies back, over what only that server can
/// write to. Any number may be outstanding; each can be cancelled through its slot, and destroying
/// the exchange completes them with errc::aborted.
class STRATA_TRANSPORT_API dns_exchange {
 public:
  using executor_type = asio::any_io_executor;

  dns_exchange(const dns_exchange&) = delete;
  dns_exchange& operator=(const dns_exchange&) = delete;
  virtual ~dns_exchange();

  executor_type get_executor() noexcept { return do_executor(); }
  /// Nobody on the way can read it: queries are padded, and have the ID zero.
  virtual bool is_encrypted() const noexcept = 0;

  /// No deadline of its own: with_timeout gives one.
  template <asio::completion_token_for<dns_exchange_signature> Token = asio::deferred_t>
  auto async_exchange(std::vector<std::byte> query, Token&& token = Token()) {
    return asio::async_initiate<Token, dns_exchange_signature>(initiate_exchange{this}, token,
                                                               std::move(query));
  }

 protected:
  dns_exchange() = default;

 private:
  struct initiate_exchange {
    using executor_type = dns_exchange::executor_type;
    dns_exchange* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, std::vector<std::byte> query) const {
      self->do_exchange(std::move(query), make_completion<dns_exchange_signature>(
                                              std::forward<Handler>(handler), self->do_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  virtual void do_exchange(std::vector<std::byte> query, completion<dns_exchange_signature>) = 0;
};

namespace detail {
class exchange_driver;
}

/// Messages with their length in front (RFC 1035 section 4.2.2), each on a stream of its own: DNS
/// over TCP, and over TLS (RFC 7858) with a tls_dialer.
class STRATA_TRANSPORT_API stream_dns_exchange final : public dns_exchange {
 public:
  stream_dns_exchange(std::shared_ptr<stream_dialer> streams, target server,
                      bool is_encrypted = false);
  ~stream_dns_exchange() override;

  bool is_encrypted() const noexcept override { return is_encrypted_; }

 private:
  asio::any_io_executor do_executor() noexcept override;
  void do_exchange(std::vector<std::byte> query, completion<dns_exchange_signature>) override;

  std::shared_ptr<detail::exchange_driver> driver_;
  bool is_encrypted_;
};

}  // namespace v0
}  // namespace strata::transport
