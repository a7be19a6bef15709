// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/deferred.hpp>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "strata/transport/completion.hpp"
#include "strata/transport/core/resolution.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// How resolving completes; the resolution is null exactly when there is an error.
using resolve_signature = void(std::error_code, std::unique_ptr<resolution>);

/// Says what is known about names of hosts. Any number of resolutions may be outstanding; each can
/// be cancelled through its slot, and destroying the resolver completes them with errc::aborted.
class STRATA_TRANSPORT_API resolver {
 public:
  using executor_type = asio::any_io_executor;

  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;
  virtual ~resolver();

  executor_type get_executor() noexcept { return do_executor(); }

  /// A name from the root, or an IP literal, which is its own address. Errors: name_not_found (the
  /// name has no address, or is none), name_server_failed, timed_out, limit_exceeded (CNAMEs, or
  /// too much to do), and those of what carries the questions.
  template <asio::completion_token_for<resolve_signature> Token = asio::deferred_t>
  auto async_resolve(std::string host, resolve_options wanted, Token&& token = Token()) {
    return asio::async_initiate<Token, resolve_signature>(initiate_resolve{this}, token,
                                                          std::move(host), wanted);
  }

 protected:
  resolver() = default;

 private:
  struct initiate_resolve {
    using executor_type = resolver::executor_type;
    resolver* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, const std::string& host,
                    const resolve_options& wanted) const {
      self->do_resolve(
          host, wanted,
          make_completion<resolve_signature>(std::forward<Handler>(handler), self->do_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  virtual void do_resolve(const std::string& host, const resolve_options& wanted,
                          completion<resolve_signature>) = 0;
};

}  // namespace v0
}  // namespace strata::transport
