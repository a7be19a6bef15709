// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/transport/export.hpp"
#include "strata/transport/resolver.hpp"

namespace strata::transport {
inline namespace v0 {

/// Asks the system, with all that it is configured to look at: files, name servers, others. It
/// knows addresses only, nothing of HTTPS records, and how long they may be used is not known: a
/// ttl of zero. Lookups of one execution context wait for each other.
class STRATA_TRANSPORT_API system_resolver final : public resolver {
 public:
  explicit system_resolver(const asio::any_io_executor& executor);
  ~system_resolver() override;

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_resolve(const std::string& host, const resolve_options& wanted,
                  completion<resolve_signature>) override;

  std::shared_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::transport
